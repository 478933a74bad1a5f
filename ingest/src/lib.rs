//! The way in: HTTP doors, validation, routing, estimate, store.
