//! Names given, changed and taken away.

use super::{fails, watched};
use crate::place::Place;
use crate::raw;
use crate::record::Kind;
use crate::rule::{Fault, Operation};
use libc::{c_char, c_int, mode_t};

/// Gives one file another name, or one more.
///
/// # Safety
/// Both paths are C strings.
unsafe fn naming(
    (kind, operation): (Kind, Operation),
    from: *const c_char,
    to: *const c_char,
    act: unsafe fn(*const c_char, *const c_char) -> c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let (Some((disk, from_below)), Some((_, to_below))) = (unsafe { (watched(from), watched(to)) }) else {
        // SAFETY: the caller's promise.
        return unsafe { act(from, to) };
    };
    let mut state = disk.state();
    if let Some(Fault::Fails(error)) = disk.meet(&mut state, operation, Place::of(to_below), to_below) {
        return fails(error);
    }
    // SAFETY: the caller's promise.
    let done = unsafe { act(from, to) };
    if done == 0 {
        state.named(kind, from_below, to_below);
    }
    done
}

/// # Safety
/// Both paths are C strings.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the same contract.
    unsafe { naming((Kind::Rename, Operation::Rename), from, to, raw::rename) }
}

/// # Safety
/// Both paths are C strings.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn link(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the same contract.
    unsafe { naming((Kind::Link, Operation::Link), from, to, raw::link) }
}

/// Makes or removes one name.
///
/// # Safety
/// `path` is a C string.
unsafe fn entry(
    (kind, operation, place): (Kind, Operation, Option<Place>),
    path: *const c_char,
    act: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let Some((disk, below)) = (unsafe { watched(path) }) else {
        return act();
    };
    let mut state = disk.state();
    let place = place.unwrap_or_else(|| Place::of(below));
    if let Some(Fault::Fails(error)) = disk.meet(&mut state, operation, place, below) {
        return fails(error);
    }
    let done = act();
    if done == 0 {
        state.record(kind, 0, [0, 0], below);
    }
    done
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the same contract, twice.
    unsafe {
        entry((Kind::Unlink, Operation::Unlink, None), path, || {
            raw::unlink(path, 0)
        })
    }
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    let kind = (Kind::Rmdir, Operation::Unlink, Some(Place::Dir));
    // SAFETY: the same contract, twice.
    unsafe { entry(kind, path, || raw::unlink(path, libc::AT_REMOVEDIR)) }
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    let kind = (Kind::Mkdir, Operation::Mkdir, Some(Place::Dir));
    // SAFETY: the same contract, twice.
    unsafe { entry(kind, path, || raw::mkdir(path, mode)) }
}
