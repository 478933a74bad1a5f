//! Sending a smaller max_tokens than the caller's.
//!
//! Bedrock reserves max_tokens while a call runs, and callers ask for far more than they get. Where its caller agreed,
//! a request goes with the size that its like's answers need ([`crate::estimate::Outputs::right_size`]). An answer that
//! this cuts short is shown to nobody: the request is called again, once, with its caller's own value
//! ([`crate::lifecycle::Change::Rerun`]).

use crate::units::Tokens;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What a request that may be sent right-sized carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightSize {
    /// Where the value stands in its body.
    pub slot: Slot,
    /// What its caller allows, while the estimate's `max_output` is smaller and goes upstream instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Tokens>,
    /// An answer was cut short by it: the caller's own value goes from then on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rerun: bool,
}

/// Where max_tokens stands in a body, so that another value can be sent while every other byte stays as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The bytes that the value takes the place of; none where the caller set none.
    from: u64,
    to: u64,
    /// What has to stand around it there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    before: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    after: String,
}

impl Slot {
    /// The value takes the place of these bytes, between `before` and `after`.
    pub fn new(at: Range<usize>, before: &str, after: &str) -> Self {
        Self {
            from: at.start as u64,
            to: at.end as u64,
            before: before.to_owned(),
            after: after.to_owned(),
        }
    }

    /// The body with this max_tokens; `None` where it is not the body that the slot was found in.
    pub fn fill(&self, body: &[u8], max_output: Tokens) -> Option<Bytes> {
        let (from, to) = (usize::try_from(self.from).ok()?, usize::try_from(self.to).ok()?);
        let (head, tail) = (body.get(..from)?, body.get(to.max(from)..)?);
        let value = max_output.get().to_string();
        let parts = [
            head,
            self.before.as_bytes(),
            value.as_bytes(),
            self.after.as_bytes(),
            tail,
        ];
        Some(Bytes::from(parts.concat()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_set_and_every_other_byte_stays() {
        let body = br#"{ "max_tokens" :  4096 ,"x":[1, 2]}"#;
        let set = Slot::new(18..22, "", "").fill(body, Tokens::new(640)).unwrap();
        assert_eq!(set, r#"{ "max_tokens" :  640 ,"x":[1, 2]}"#);
        let unset = Slot::new(1..1, r#""max_tokens":"#, ",")
            .fill(body, Tokens::new(7))
            .unwrap();
        assert_eq!(unset, r#"{"max_tokens":7, "max_tokens" :  4096 ,"x":[1, 2]}"#);
    }

    proptest! {
        #[test]
        fn no_slot_leaves_its_body(body: Vec<u8>, from in 0usize..64, length in 0usize..64, size: u64) {
            let filled = Slot::new(from..from + length, "<", ">").fill(&body, Tokens::new(size));
            prop_assert_eq!(filled.is_some(), from + length <= body.len());
            if let Some(filled) = filled {
                prop_assert!(filled.starts_with(&body[..from]));
                prop_assert!(filled.ends_with(&body[from + length..]));
            }
        }
    }
}
