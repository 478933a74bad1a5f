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

    /// Signs the request, or else tells why it cannot be.
    pub async fn grant(
        &self,
        mut request: Request<Bytes>,
        now: SystemTime,
    ) -> Result<Request<Bytes>, String> {
        match self {
            Self::Bearer(header) => {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
                Ok(request)
            }
            Self::Signed {
                credentials: None, ..
            } => Err("no source of credentials is configured".to_owned()),
            Self::Signed {
                region,
                credentials: Some(credentials),
            } => {
                let identity = credentials.get(now).await?;
                signed(request, &identity, region, now)
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
    let (added, _) = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())),
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
