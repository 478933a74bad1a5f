//! The way out: payloads, job status, lanes, events, health and metrics.
