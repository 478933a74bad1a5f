//! Whose an HTTP request is by its own word: one rule for every door.
//!
//! A header proves nothing by itself. It counts only where the configuration says that whoever sets it has authenticated
//! the caller; anywhere else it is not read, and all callers are one tenant.

use crate::ids::{IdError, TenantId};

/// The header that names the tenant.
pub const TENANT_HEADER: &str = "x-smoother-tenant";

/// Why a tenant that is believed cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNamed {
    /// A caller's own header beside that of the one in front, it may be: none of them is believed.
    #[error(
        "The header {TENANT_HEADER} is given {0} times; what sets it must replace the caller's own, so that there is one"
    )]
    Several(usize),
    /// No tenant has such a name.
    #[error("The header {TENANT_HEADER}: {0}")]
    Name(#[from] IdError),
}

/// The tenant that a request with these values of [`TENANT_HEADER`] is of: `default`, unless they are `trusted` and there
/// is one.
pub fn tenant_named<'a>(
    trusted: bool,
    values: impl IntoIterator<Item = &'a [u8]>,
) -> Result<TenantId, NotNamed> {
    let mut values = values.into_iter();
    let Some(value) = values.next().filter(|_| trusted) else {
        return Ok(TenantId::default());
    };
    match values.count() {
        0 => Ok(TenantId::new(String::from_utf8_lossy(value).trim())?),
        more => Err(NotNamed::Several(more + 1)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn named(trusted: bool, values: &[&str]) -> Result<String, String> {
        let found = tenant_named(trusted, values.iter().map(|value| value.as_bytes()));
        found.map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_counts_only_where_it_is_trusted() {
        assert_eq!(named(true, &["acme"]).unwrap(), "acme");
        assert_eq!(named(true, &[]).unwrap(), "default");
        for unread in [&["acme"][..], &["a/b"], &["acme", "other"], &[]] {
            assert_eq!(named(false, unread).unwrap(), "default");
        }
    }

    #[test]
    fn what_is_no_name_or_not_the_only_one_is_refused() {
        assert!(named(true, &["a/b"]).unwrap_err().contains("\"a/b\""));
        assert!(named(true, &[""]).is_err());
        assert!(named(true, &[&"a".repeat(65)]).is_err());
        assert!(named(true, &["acme", "acme"]).unwrap_err().contains("2 times"));
    }
}
