//! The lifecycle's own tests: the drawn transitions and no others.
#![allow(clippy::unwrap_used)]

use super::*;
