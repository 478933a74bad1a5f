//! TLS to servers elsewhere: rustls on ring, with the roots that this machine trusts.

use super::error::ClientError;
use reqwest::Url;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::sync::Arc;

/// How to speak to `server`. The roots are read only where they are needed: a machine may have none.
pub(crate) fn config(server: &Url) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    if server.scheme() == "https" {
        let found = rustls_native_certs::load_native_certs();
        let (taken, _) = roots.add_parsable_certificates(found.certs);
        if taken == 0 {
            return Err(ClientError::Unreachable {
                server: server.to_string(),
                cause: "this machine has no root certificates; install ca-certificates, or set SSL_CERT_FILE"
                    .to_owned(),
            });
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Unreachable {
            server: server.to_string(),
            cause: error.to_string(),
        })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
