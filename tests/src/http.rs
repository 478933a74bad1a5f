//! The HTTP client of everything here. It speaks to loopback alone, but is built with TLS, as the command's is, and a
//! client that is not given its TLS has none to begin with.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// A client's settings: no server elsewhere is trusted.
#[allow(clippy::expect_used, reason = "ring has every version of TLS that there is")]
pub fn builder() -> reqwest::ClientBuilder {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls)
}

/// A client.
#[allow(clippy::expect_used, reason = "these settings are always good")]
pub fn client() -> reqwest::Client {
    builder().build().expect("an HTTP client")
}
