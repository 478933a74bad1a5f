//! Drives core's scheduler for one lane: load, step, record, release.
