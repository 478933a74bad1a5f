//! One HTTP exchange with the server.

use super::deployed::{self, Signer};
use super::error::ClientError;
use super::target::{Target, region_of_function};
use super::tls;
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use smoother_core::TenantId;
use smoother_core::named::TENANT_HEADER;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A server's API over one pool of connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    server: Url,
    /// Where the door asks for a signature.
    signer: Option<Signer>,
    is_a_function: bool,
    /// Whom to name as the caller.
    tenant: Option<TenantId>,
    /// Jobs that lie in places of their own, by their keys.
    places: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

/// An answer with a status of success.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Longest the server may take for anything but the wait it was asked for.
const SLACK: Duration = Duration::from_secs(30);

impl Client {
    /// For the smoother meant by `target`, in the name of `tenant`. A deployment is sought, and whatever is a function's
    /// URL is signed for.
    ///
    /// # Errors
    /// The deployment cannot be found, there is nothing to sign with, or the HTTP client cannot be set up.
    pub async fn to(target: &Target, tenant: Option<TenantId>) -> Result<Self, ClientError> {
        let (server, signer, is_a_function) = match target {
            Target::Deployment(name) => {
                let (server, signer) = deployed::door(name).await?;
                (server, signer, true)
            }
            Target::At(url) => match region_of_function(url) {
                Some(region) => (url.clone(), deployed::signer(region).await, true),
                None => (url.clone(), None, false),
            },
        };
        let mut client = Self::new(server, signer, tenant)?;
        client.is_a_function = is_a_function;
        Ok(client)
    }

    fn new(server: Url, signer: Option<Signer>, tenant: Option<TenantId>) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            // The API has none; followed, it would carry the prompt and the session token along.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("smoother/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&server) {
            // A proxy of the environment would look for 127.0.0.1 on its own machine.
            builder = builder.no_proxy();
        }
        builder = builder.tls_backend_preconfigured(tls::config(&server)?);
        let http = builder.build().map_err(|e| ClientError::Unreachable {
            server: server.to_string(),
            cause: cause(&e),
        })?;
        Ok(Self {
            http,
            server,
            signer,
            is_a_function: false,
            tenant,
            places: Arc::default(),
        })
    }

    /// Where the server is.
    pub const fn server(&self) -> &Url {
        &self.server
    }

    /// A request to `path`, which begins without a slash.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let base = self.server.as_str().trim_end_matches('/');
        let request = self.http.request(method, format!("{base}/{path}"));
        match &self.tenant {
            Some(tenant) => request.header(TENANT_HEADER, tenant.as_str()),
            None => request,
        }
    }

    /// Whether the door is a function's, which lets no large job through.
    pub(super) const fn is_a_function(&self) -> bool {
        self.is_a_function
    }

    pub(super) fn places(&self) -> MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to any address, which says nothing of who asks.
    pub(super) fn plain(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// Sends it; `wait` is how long the server was asked to hold the answer back.
    pub(super) async fn send(&self, request: RequestBuilder, wait: Duration) -> Result<Answer, ClientError> {
        let mut request = request
            .timeout(wait + SLACK)
            .build()
            .map_err(|e| self.unreachable(&e))?;
        if let Some(signer) = &self.signer {
            signer.sign(&mut request).await?;
        }
        let sent = self.http.execute(request).await;
        let response = sent.map_err(|e| self.unreachable(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        if status.is_success() {
            return Ok(Answer {
                status,
                headers,
                body,
            });
        }
        Err(ClientError::Refused {
            status: status.as_u16(),
            problem: Box::new(serde_json::from_slice(&body).unwrap_or_default()),
            retry_after: seconds(&headers),
        })
    }

    /// Reads JSON from `path`.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.send(self.request(Method::GET, path), Duration::ZERO).await?;
        self.read(&answer)
    }

    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ClientError> {
        serde_json::from_slice(&answer.body).map_err(|e| ClientError::Foreign {
            server: self.server.to_string(),
            cause: e.to_string(),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        ClientError::Unreachable {
            server: self.server.to_string(),
            cause: cause(error),
        }
    }
}

impl Answer {
    /// Its content type, or nothing.
    pub fn content_type(&self) -> &str {
        let value = self.headers.get(CONTENT_TYPE);
        value.and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        seconds(&self.headers)
    }
}

fn seconds(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.parse().ok().map(Duration::from_secs)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    })
}

/// The innermost cause, which is the one that says something: "Connection refused", "timed out".
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
