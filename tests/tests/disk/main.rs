//! The real server on a disk that loses what was not synced, fails, is full, or flips bits: what it acknowledged
//! survives, or it stops with an error. Never less without a word.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod first_start;
mod flips;
mod full;
mod house;
mod lies;
mod power;
mod reads;
mod syncs;
