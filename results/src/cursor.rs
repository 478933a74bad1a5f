//! The cursor of a listing, as callers carry it.
//!
//! The store's own cursor is wrapped with a check over it and the filter it was made for, so that a cursor that
//! was cut, changed or moved to another filter is refused here instead of quietly listing something else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use smoother_core::ports::ListFilter;

const CHECK: usize = 8;

/// The store's cursor in its public form.
pub fn seal(inner: &str, filter: &ListFilter) -> String {
    let mut bytes = check(inner, filter).to_vec();
    bytes.extend_from_slice(inner.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The store's cursor out of its public form; `None` where it is none, or was made for another filter.
pub fn open(outer: &str, filter: &ListFilter) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(outer).ok()?;
    let (found, inner) = bytes.split_at_checked(CHECK)?;
    let inner = std::str::from_utf8(inner).ok()?;
    (found == check(inner, filter)).then(|| inner.to_owned())
}

fn check(inner: &str, filter: &ListFilter) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(inner.as_bytes());
    hash.update([0]);
    for state in &filter.states {
        hash.update(state.as_str().as_bytes());
        hash.update([1]);
    }
    for name in [
        filter.tenant.as_ref().map(ToString::to_string),
        filter.lane.as_ref().map(ToString::to_string),
    ] {
        hash.update([2]);
        hash.update(name.unwrap_or_default().as_bytes());
    }
    let digest = hash.finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoother_core::State;

    #[test]
    fn a_cursor_opens_only_as_it_was_sealed() {
        let all = ListFilter::default();
        let failed = ListFilter {
            states: vec![State::Failed],
            ..ListFilter::default()
        };
        let sealed = seal("12:abc", &all);
        assert_eq!(open(&sealed, &all).as_deref(), Some("12:abc"));
        assert_eq!(open(&sealed, &failed), None);
        assert_eq!(open(&sealed[1..], &all), None);
        assert_eq!(open("", &all), None);
        assert_eq!(open("not a cursor", &all), None);
    }
}
