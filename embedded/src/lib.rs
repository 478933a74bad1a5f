//! The other ports on one machine: SQLite, files, channels.
