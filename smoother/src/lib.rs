//! The smoother command: serve, submit, status, watch, cancel and the rest.
