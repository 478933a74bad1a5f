//! The C library's functions, as the process finds them. All are safe to call as the C functions are, and under the
//! same contract.
//!
//! `open` and `openat` are variadic in C. On every 64-bit Linux a caller passes a third argument in the register in
//! which these here take it; where the caller passes none, none is used.

pub mod clock;
pub mod content;
pub mod names;

use crate::disk::{Disk, OpenFile, State};
use crate::raw;
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::sync::MutexGuard;

/// The path below the disk's root, if it is below it.
///
/// # Safety
/// `path` is a C string that outlives the answer.
unsafe fn watched<'a>(path: *const c_char) -> Option<(&'static Disk, &'a [u8])> {
    let disk = Disk::get()?;
    // SAFETY: the caller's promise.
    let path = unsafe { CStr::from_ptr(path) };
    Some((disk, disk.below(path)?))
}

/// The file behind a descriptor, and the disk's state, held.
fn file(fd: c_int) -> Option<(&'static Disk, MutexGuard<'static, State>, OpenFile)> {
    let disk = Disk::of(fd)?;
    let state = disk.state();
    let file = state.file(fd)?;
    Some((disk, state, file))
}

fn fails(error: c_int) -> c_int {
    raw::set_errno(error);
    -1
}

/// Does something that may change `errno`, and puts back what it was.
fn aside(work: impl FnOnce()) {
    let error = raw::errno();
    work();
    raw::set_errno(error);
}
