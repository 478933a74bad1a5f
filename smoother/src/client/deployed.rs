//! A deployment on AWS: where its door is, and the signature that its door asks for (SigV4,
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>).

use super::error::ClientError;
use super::http::is_loopback;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_lambda::error::DisplayErrorContext;
use aws_sdk_lambda::types::FunctionUrlAuthType;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Request, Url};
use std::time::{Duration, SystemTime};

/// Longest that AWS may take to say where a door is.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Signs requests to a function's URL.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    credentials: SharedCredentialsProvider,
    region: String,
}

/// Where the door of the deployment `name` is, and who signs, where it asks for that.
pub(super) async fn door(name: &str) -> Result<(Url, Option<Signer>), ClientError> {
    let unknown = |cause: String| ClientError::NoDeployment {
        name: name.to_owned(),
        cause,
    };
    let sdk = environment(None).await;
    let function = format!("{name}-http");
    let asked = aws_sdk_lambda::Client::new(&sdk)
        .get_function_url_config()
        .function_name(&function)
        .send();
    let config = match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
        Ok(answer) => answer.map_err(|error| unknown(DisplayErrorContext(error).to_string()))?,
        Err(_) => return Err(unknown("AWS did not answer in time".to_owned())),
    };
    let url = Url::parse(config.function_url())
        .map_err(|error| unknown(format!("the URL of {function} cannot be read: {error}")))?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(unknown(format!("the URL of {function} is not https")));
    }
    let signer = match config.auth_type() {
        FunctionUrlAuthType::None => None,
        _ => Some(Signer::of(&sdk).map_err(unknown)?),
    };
    Ok((url, signer))
}

/// Signs for a function's URL in this Region, by the credentials of the environment. Where there are none, the door may
/// be open, or says that it is not.
pub(super) async fn signer(region: &str) -> Option<Signer> {
    let signer = Signer::of(&environment(Some(region)).await).ok()?;
    signer.credentials.provide_credentials().await.ok()?;
    Some(signer)
}

async fn environment(region: Option<&str>) -> SdkConfig {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    match region {
        Some(region) => loader.region(Region::new(region.to_owned())).load().await,
        None => loader.load().await,
    }
}

impl Signer {
    fn of(sdk: &SdkConfig) -> Result<Self, String> {
        let region = sdk.region().ok_or("no Region is set; set AWS_REGION")?;
        let credentials = sdk
            .credentials_provider()
            .ok_or("no credentials are set; set AWS_PROFILE")?;
        Ok(Self {
            credentials,
            region: region.to_string(),
        })
    }

    /// Adds the headers of the signature. The body must be in memory.
    pub(super) async fn sign(&self, request: &mut Request) -> Result<(), ClientError> {
        let signed = self
            .headers(request)
            .await
            .map_err(|cause| ClientError::Unsigned {
                server: request.url().to_string(),
                cause,
            })?;
        request.headers_mut().extend(signed);
        Ok(())
    }

    async fn headers(&self, request: &Request) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let credentials = self.credentials.provide_credentials().await;
        let identity = credentials
            .map_err(|error| DisplayErrorContext(error).to_string())?
            .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("lambda")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let body = request.body().map_or(Some(&[][..]), |body| body.as_bytes());
        let body = body.ok_or("its body is a stream")?;
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let (method, url) = (request.method().as_str(), request.url().as_str());
        let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))
            .map_err(|error| error.to_string())?;
        let (signed, _) = sign(signable, &params)
            .map_err(|error| error.to_string())?
            .into_parts();
        let (headers, _) = signed.into_parts();
        let headers = headers.into_iter().map(|header| {
            let name = HeaderName::from_static(header.name());
            HeaderValue::from_str(header.value()).map(|mut value| {
                value.set_sensitive(header.sensitive());
                (name, value)
            })
        });
        let headers: Result<Vec<_>, _> = headers.collect();
        headers.map_err(|error| error.to_string())
    }
}
