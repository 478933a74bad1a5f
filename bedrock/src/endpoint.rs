//! The endpoint that a lane's configuration names.

use crate::SetupError;
use http::Uri;
use smoother_core::config::LaneConfig;

/// An endpoint of a lane's own.
pub(crate) struct Endpoint {
    /// Without a slash at its end.
    pub url: String,
    pub loopback: bool,
    /// Not encrypted.
    pub plain: bool,
}

/// Reads an endpoint: what stands in the lane's configuration, or in the environment.
pub(crate) fn endpoint(
    lane: &LaneConfig,
    named_by: &'static str,
    text: &str,
) -> Result<Endpoint, SetupError> {
    let wrong = || SetupError::Endpoint {
        lane: lane.id.clone(),
        named_by,
        found: unnamed(text),
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let plain = match uri.scheme_str() {
        Some("http") => true,
        Some("https") => false,
        _ => return Err(wrong()),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    // A path is appended, and nobody logs in: a query, a fragment or a name would change what is called.
    let of_its_own = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    if of_its_own || text.contains(['?', '#']) {
        return Err(wrong());
    }
    Ok(Endpoint {
        loopback: is_loopback(host),
        plain,
        url: text.trim_end_matches('/').to_owned(),
    })
}

/// Without the name and password that may stand before a host.
fn unnamed(text: &str) -> String {
    match (text.find("//"), text.rfind('@')) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", &text[..start + 2], &text[end..]),
        _ => text.to_owned(),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
