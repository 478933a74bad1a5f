//! Forms of texts.

use std::net::SocketAddr;

/// Whether it is an address of this machine alone, with a port.
pub(super) fn loopback(text: &str) -> Option<SocketAddr> {
    text.parse::<SocketAddr>()
        .ok()
        .filter(|address| address.ip().is_loopback())
}

/// Whether it looks like a Region: words of lower-case letters, a number at the end (`us-gov-west-1`).
pub(super) fn region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.contains('-')
        && words.split('-').all(is_word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Whether it is an http or https URL of a host, an optional port and an optional path.
pub(super) fn endpoint(text: &str) -> bool {
    let Some(rest) = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))
    else {
        return false;
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '@' | '"' | '<' | '>' | '\\');
    if !authority.chars().all(plain) || !path.chars().all(plain) {
        return false;
    }
    // An IPv6 host stands in brackets and has colons of its own.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let host_is_good = match host.strip_prefix('[') {
        Some(inside) => {
            let address = inside.strip_suffix(']').unwrap_or_default();
            address.parse::<std::net::Ipv6Addr>().is_ok()
        }
        None => !host.is_empty() && !host.contains([':', '[', ']']),
    };
    host_is_good && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0))
}

/// Whether it is short enough to be stored with every request.
pub(super) fn degraded_answer(text: &str) -> bool {
    text.len() <= 4096
}

/// Whether it is the ARN of an IAM role, in any of AWS's partitions.
pub(super) fn role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts.as_slice() else {
        return false;
    };
    let name = resource.strip_prefix("role/").unwrap_or_default();
    *arn == "arn"
        && partition.starts_with("aws")
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_on() {
        for good in ["127.0.0.1:8080", "127.1.2.3:0", "[::1]:9000"] {
            assert!(loopback(good).is_some(), "{good}");
        }
        for bad in [
            "0.0.0.0:8080",
            "10.0.0.1:80",
            "[::]:80",
            "localhost:8080",
            "127.0.0.1",
            "127.0.0.1:70000",
        ] {
            assert!(loopback(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn endpoints_are_urls_of_a_host() {
        for good in [
            "http://127.0.0.1:9000",
            "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            "http://[::1]:9000/",
            "http://localhost/prefix",
        ] {
            assert!(endpoint(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1:9000",
            "ftp://host",
            "http://",
            "http://:80",
            "http://a b",
            "http://host:0",
            "http://host:99999",
            "http://host:",
            "http://u@host",
            "http://host/?q",
            "http://[::1",
            "http://[x]:1",
        ] {
            assert!(!endpoint(bad), "{bad}");
        }
    }

    #[test]
    fn regions_and_roles_have_their_form() {
        assert!(region("us-east-1") && region("us-gov-west-1") && region("ap-southeast-12"));
        for bad in ["", "us", "us-1", "US-EAST-1", "us-east-", "us_east_1", "us--1"] {
            assert!(!region(bad), "{bad}");
        }
        assert!(role_arn("arn:aws:iam::123456789012:role/path/name"));
        assert!(role_arn("arn:aws-cn:iam::123456789012:role/name"));
        for bad in [
            "",
            "arn:aws:iam::1:role/x",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role/",
        ] {
            assert!(!role_arn(bad), "{bad}");
        }
    }
}
