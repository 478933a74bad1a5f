//! A disk that breaks, below a process that does not know it: a library for `LD_PRELOAD` that stands between the
//! process and the C library's file calls. Linux only.
//!
//! For files below `BROKEN_DISK_ROOT` (an absolute path without links in it) it
//! 1. appends every change to `BROKEN_DISK_LOG`, in order and with its bytes, before the call returns. From that log
//!    it can be said what a disk may hold after a power cut at any moment: `record` has the format;
//! 2. breaks what the file `BROKEN_DISK_RULES` names (it may be changed at any time, by renaming another one over
//!    it): fails with EIO or ENOSPC, writes less than was asked for, flips a bit, or says that something was synced
//!    which was not: `rule` has the language.
//!
//! Without `BROKEN_DISK_ROOT`, and for every other file, socket and pipe, it does nothing.
//!
//! It can break the clock as well, once at a time: `hooks::clock`.
//!
//! ```text
//! program ── write(2) ──▶ hooks ──▶ Disk: which file? a rule for it? ──▶ raw (the system call) ──▶ record
//! ```
//! SQLite's index of its log (`-shm`) is left alone: it is mapped memory, and made anew after a power cut.
//!
//! What it does not see: descriptors that were duplicated or inherited, writes through a mapping, `sendfile`,
//! paths relative to another directory than the working directory. The smoother's store uses none of them.
#![cfg(target_os = "linux")]

mod disk;
pub mod hooks;
mod place;
mod raw;
mod record;
mod rule;
