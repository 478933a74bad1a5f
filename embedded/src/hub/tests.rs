//! The hub, as readers and runners see it.

use super::*;
