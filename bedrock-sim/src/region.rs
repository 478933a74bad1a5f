//! Which Region a call means: the one in the credential scope of its signature. One simulator stands for
//! all of them, as no host name tells them apart on 127.0.0.1.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Longer names are no Region's; names are kept in the statistics.
const MAX_NAME: usize = 32;

/// The Region that a call is signed for, as in `AWS4-HMAC-SHA256 Credential=ID/20261121/us-east-1/bedrock/aws4_request,
/// …` (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>). Nothing for calls
/// that are unsigned, carry a bearer token, or are signed for several Regions at once (SigV4a).
pub(crate) fn signed_for(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let rest = value.strip_prefix("AWS4-HMAC-SHA256")?;
    let (_, rest) = rest.split_once("Credential=")?;
    let credential = rest.split([',', ' ']).next()?;
    // From the end: the key's id in front is the only part that may be anything.
    let mut scope = credential.rsplit('/');
    let (end, _service, region) = (scope.next()?, scope.next()?, scope.next()?);
    (end == "aws4_request" && is_name(region)).then_some(region)
}

/// Whether a text could be a Region's name.
pub(crate) fn is_name(text: &str) -> bool {
    let ordinary = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(ordinary)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(authorization: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        signed_for(&headers).map(str::to_owned)
    }

    #[test]
    fn the_region_is_read_from_the_credential_scope() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20261121/eu-central-1/bedrock/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=0f";
        assert_eq!(read(signed).unwrap(), "eu-central-1");
        let tight =
            "AWS4-HMAC-SHA256 SignedHeaders=host,Credential=a/b/20261121/us-west-2/bedrock/aws4_request";
        assert_eq!(read(tight).unwrap(), "us-west-2");
    }

    #[test]
    fn what_names_no_region_has_none() {
        for other in [
            "Bearer AKID.secret",
            "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0f",
            "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-west-2/bedrock",
            "AWS4-HMAC-SHA256 Credential=AKID/20261121/US WEST/bedrock/aws4_request",
            "AWS4-HMAC-SHA256 Credential=AKID/20261121//bedrock/aws4_request",
            "AWS4-ECDSA-P256-SHA256 Credential=AKID/20261121/bedrock/aws4_request, SignedHeaders=host",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
        assert_eq!(signed_for(&HeaderMap::new()), None);
    }
}
