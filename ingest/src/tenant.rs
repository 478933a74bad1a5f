//! Whose a request is. Nothing else in this crate decides that.

use crate::ingest::Ingest;
use crate::refusal::Refusal;
use http::HeaderMap;
use smoother_core::TenantId;
use smoother_core::named::{TENANT_HEADER, tenant_named};

impl Ingest {
    /// The tenant of an HTTP request.
    ///
    /// A server without keys listens on the loopback address only and has one tenant, `default`, unless its configuration
    /// trusts the header that names another.
    pub(crate) fn tenant_of(&self, headers: &HeaderMap) -> Result<TenantId, Refusal> {
        let trusted = self.settings().config.server.trust_tenant;
        let values = headers.get_all(TENANT_HEADER).iter();
        tenant_named(trusted, values.map(http::HeaderValue::as_bytes))
            .map_err(|error| Refusal::invalid(format!("{error}.")))
    }
}
