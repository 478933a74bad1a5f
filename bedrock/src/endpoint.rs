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

/// Reads the endpoint of a lane.
pub(crate) fn endpoint(lane: &LaneConfig, text: &str) -> Result<Endpoint, SetupError> {
    let wrong = || SetupError::Endpoint {
        lane: lane.id.clone(),
        found: text.to_owned(),
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let plain = match uri.scheme_str() {
        Some("http") => true,
        Some("https") => false,
        _ => return Err(wrong()),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    Ok(Endpoint {
        loopback: is_loopback(host),
        plain,
        url: text.trim_end_matches('/').to_owned(),
    })
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
