//! What a request carries so that Bedrock knows whose it is.

use crate::errors;
use crate::kept::Kept;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use std::sync::Arc;
use std::time::SystemTime;

/// The service's name in a signature.
const SERVICE: &str = "bedrock";

/// How a lane's requests are made out to be its own.
#[derive(Debug)]
pub(crate) enum Access {
    /// Signed (SigV4) with credentials.
    Signed {
        /// In whose Region the signature holds.
        region: String,
        /// None: there is no source of any.
        credentials: Option<Arc<Kept>>,
    },
    /// An API key of Bedrock's, as a header.
    Bearer(HeaderValue),
}

impl Access {
    /// A token as the header that carries it; none if no header can.
    pub fn bearer(token: &str) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        Some(Self::Bearer(header))
    }

    /// Signs the request, or else tells why it cannot be. `clock` tells the time at the other side.
    pub async fn grant(
        &self,
        mut request: Request<Bytes>,
        clock: impl Fn() -> SystemTime,
    ) -> Result<Request<Bytes>, Arc<str>> {
        match self {
            Self::Bearer(header) => {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
                Ok(request)
            }
            Self::Signed {
                credentials: None, ..
            } => Err("no source of credentials is configured".into()),
            Self::Signed {
                region,
                credentials: Some(credentials),
            } => {
                let identity = credentials.get(clock()).await?;
                // The time anew: the credentials may have been waited for.
                signed(request, &identity, region, clock()).map_err(Arc::from)
            }
        }
    }
}

/// The request with its signature's headers.
fn signed(
    mut request: Request<Bytes>,
    identity: &Identity,
    region: &str,
    now: SystemTime,
) -> Result<Request<Bytes>, String> {
    let params = v4::SigningParams::builder()
        .identity(identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        // The path is encoded once more for the signature, as every service but S3 expects.
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| errors::chain(&error))?
        .into();
    let headers = request.headers().iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| Ok((name.as_str(), std::str::from_utf8(value.as_bytes())?)))
        .collect::<Result<_, std::str::Utf8Error>>()
        .map_err(|error| errors::chain(&error))?;
    let (added, _) = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers.into_iter(),
        SignableBody::Bytes(request.body()),
    )
    .and_then(|signable| sign(signable, &params))
    .map_err(|error| errors::chain(&error))?
    .into_parts()
    .0
    .into_parts();
    for header in added {
        let mut value = HeaderValue::from_str(header.value()).map_err(|error| errors::chain(&error))?;
        value.set_sensitive(header.sensitive());
        request.headers_mut().insert(header.name(), value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use std::time::{Duration, UNIX_EPOCH};

    fn request() -> Request<Bytes> {
        let url = "http://127.0.0.1:9/model/m/converse";
        Request::post(url).body(Bytes::from_static(b"{}")).unwrap()
    }

    fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
        request.headers()[name].to_str().unwrap()
    }

    #[tokio::test]
    async fn a_sessions_token_is_sent_and_signed_and_shown_nowhere() {
        let credentials = Credentials::new("ID", "s", Some("token-1".to_owned()), None, "test");
        let source = SharedCredentialsProvider::new(credentials);
        let access = Access::Signed {
            region: "us-east-1".to_owned(),
            credentials: Some(Kept::new("the test".to_owned(), source)),
        };
        let signed = access.grant(request(), || UNIX_EPOCH).await.unwrap();
        assert_eq!(header(&signed, "x-amz-security-token"), "token-1");
        let authorization = header(&signed, "authorization");
        assert!(
            authorization.contains("SignedHeaders=host;x-amz-date;x-amz-security-token"),
            "{authorization}"
        );
        let shown = format!("{signed:?} {access:?}");
        assert!(!shown.contains("token-1"), "{shown}");
    }

    #[tokio::test]
    async fn it_is_signed_at_the_time_at_which_the_credentials_have_come() {
        let source = SharedCredentialsProvider::new(Credentials::new("ID", "s", None, None, "test"));
        let access = Access::Signed {
            region: "us-east-1".to_owned(),
            credentials: Some(Kept::new("the test".to_owned(), source)),
        };
        let asked = std::cell::Cell::new(0);
        let clock = || {
            asked.set(asked.get() + 1);
            UNIX_EPOCH + Duration::from_secs(asked.get())
        };
        let signed = access.grant(request(), clock).await.unwrap();
        assert_eq!(header(&signed, "x-amz-date"), "19700101T000002Z");
    }

    #[tokio::test]
    async fn an_api_key_is_a_header_and_nothing_else() {
        let access = Access::bearer("key-1").unwrap();
        let granted = access.grant(request(), || UNIX_EPOCH).await.unwrap();
        assert_eq!(header(&granted, "authorization"), "Bearer key-1");
        assert_eq!(granted.headers().len(), 1);
        let shown = format!("{granted:?} {access:?}");
        assert!(!shown.contains("key-1"), "{shown}");
    }
}
