//! Files opened, read, written, synced and made shorter.

use super::{aside, fails, file, watched};
use crate::disk::{Disk, OpenFile, State};
use crate::place::Place;
use crate::raw;
use crate::record::Kind;
use crate::rule::{Fault, Operation};
use libc::{c_char, c_int, c_void, iovec, mode_t, off64_t, size_t, ssize_t};
use std::sync::MutexGuard;

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the path is a C string.
    let Some((disk, below)) = (unsafe { watched(path) }) else {
        // SAFETY: as above.
        return unsafe { raw::openat(dir, path, flags, mode) };
    };
    let mut state = disk.state();
    // SAFETY: as above.
    let makes = flags & libc::O_CREAT != 0 && !unsafe { raw::is_there(path) };
    let operation = if makes { Operation::Create } else { Operation::Open };
    if let Some(Fault::Fails(error)) = disk.meet(&mut state, operation, Place::of(below), below) {
        return fails(error);
    }
    // SAFETY: as above.
    let fd = unsafe { raw::openat(dir, path, flags, mode) };
    if fd >= 0 {
        aside(|| state.opened(fd, below, flags, makes));
    }
    fd
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn openat64(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the same contract.
    unsafe { openat(dir, path, flags, mode) }
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the same contract.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the same contract.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    // SAFETY: the same contract.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// # Safety
/// `path` is a C string.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn creat64(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the same contract.
    unsafe { creat(path, mode) }
}

#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn close(fd: c_int) -> c_int {
    if let Some(disk) = Disk::of(fd) {
        // Held until it is closed: whoever gets the same number next is another.
        let mut state = disk.state();
        state.closing(fd);
        return raw::close(fd);
    }
    raw::close(fd)
}

/// Reads by `read`, and flips a bit of what came where a rule says so.
///
/// # Safety
/// `buffer` has room for what `read` reads.
unsafe fn reading(fd: c_int, buffer: *mut c_void, read: impl FnOnce() -> ssize_t) -> ssize_t {
    let Some((disk, mut state, file)) = file(fd) else {
        return read();
    };
    let fault = disk.meet_file(&mut state, Operation::Read, &file);
    drop(state);
    if let Some(Fault::Fails(error)) = fault {
        return fails(error) as ssize_t;
    }
    let count = read();
    if let (Some(Fault::Flip(chance)), Ok(length)) = (fault, usize::try_from(count)) {
        // SAFETY: so many bytes have just been read into it.
        flip(
            unsafe { std::slice::from_raw_parts_mut(buffer.cast(), length) },
            chance,
        );
    }
    count
}

fn flip(bytes: &mut [u8], chance: u64) {
    let bits = bytes.len() as u64 * 8;
    let Some(bit) = chance.checked_rem(bits) else {
        return;
    };
    if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bytes.get_mut(at)) {
        *byte ^= 1 << (bit % 8);
    }
}

/// # Safety
/// `buffer` has room for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's promise, twice.
    unsafe { reading(fd, buffer, || raw::read(fd, buffer, count)) }
}

/// # Safety
/// `buffer` has room for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pread64(fd: c_int, buffer: *mut c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's promise, twice.
    unsafe { reading(fd, buffer, || raw::pread(fd, buffer, count, offset)) }
}

/// # Safety
/// `buffer` has room for `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pread(fd: c_int, buffer: *mut c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the same contract.
    unsafe { pread64(fd, buffer, count, offset) }
}

/// Writes to a file of the disk; at the descriptor's own place where no offset is given.
fn writing(
    (disk, mut state, file): (&Disk, MutexGuard<'_, State>, OpenFile),
    fd: c_int,
    bytes: &[u8],
    offset: Option<off64_t>,
) -> ssize_t {
    let mut bytes = std::borrow::Cow::Borrowed(bytes);
    match disk.meet_file(&mut state, Operation::Write, &file) {
        Some(Fault::Fails(error)) => return fails(error) as ssize_t,
        Some(Fault::Short) => bytes = bytes[..bytes.len().div_ceil(2)].to_vec().into(),
        Some(Fault::Flip(chance)) => flip(bytes.to_mut(), chance),
        Some(Fault::Drop) | None => {}
    }
    let place = match offset {
        // Linux appends whatever the offset says.
        _ if file.appends => raw::look(fd).map_or(-1, |(_, length)| length),
        Some(offset) => offset,
        None => raw::tell(fd),
    };
    // SAFETY: the bytes are there.
    let written = unsafe {
        match offset {
            Some(offset) => raw::pwrite(fd, bytes.as_ptr().cast(), bytes.len(), offset),
            None => raw::write(fd, bytes.as_ptr().cast(), bytes.len()),
        }
    };
    if let (Ok(length), Ok(place)) = (usize::try_from(written), u64::try_from(place)) {
        aside(|| state.wrote(file.handle, place, &bytes[..length]));
    }
    written
}

/// # Safety
/// `buffer` has `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    match file(fd) {
        Some(file) if count > 0 => {
            // SAFETY: the caller's promise.
            let bytes = unsafe { std::slice::from_raw_parts(buffer.cast(), count) };
            writing(file, fd, bytes, None)
        }
        // SAFETY: the caller's promise.
        _ => unsafe { raw::write(fd, buffer, count) },
    }
}

/// # Safety
/// `buffer` has `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    buffer: *const c_void,
    count: size_t,
    offset: off64_t,
) -> ssize_t {
    match file(fd) {
        Some(file) if count > 0 => {
            // SAFETY: the caller's promise.
            let bytes = unsafe { std::slice::from_raw_parts(buffer.cast(), count) };
            writing(file, fd, bytes, Some(offset))
        }
        // SAFETY: the caller's promise.
        _ => unsafe { raw::pwrite(fd, buffer, count, offset) },
    }
}

/// # Safety
/// `buffer` has `count` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn pwrite(fd: c_int, buffer: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the same contract.
    unsafe { pwrite64(fd, buffer, count, offset) }
}

/// # Safety
/// `pieces` are `count` pieces of memory.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn writev(fd: c_int, pieces: *const iovec, count: c_int) -> ssize_t {
    let (Some(file), Ok(number @ 1..)) = (file(fd), usize::try_from(count)) else {
        // SAFETY: the caller's promise.
        return unsafe { raw::writev(fd, pieces, count) };
    };
    // SAFETY: the caller's promise.
    let pieces = unsafe { std::slice::from_raw_parts(pieces, number) };
    let mut whole = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.iov_len > 0) {
        // SAFETY: the caller's promise, of each piece.
        whole.extend_from_slice(unsafe { std::slice::from_raw_parts(piece.iov_base.cast(), piece.iov_len) });
    }
    writing(file, fd, &whole, None)
}

/// Syncs by `sync`. Other operations go on meanwhile: what was written before it began is what it makes durable.
fn syncing(fd: c_int, sync: fn(c_int) -> c_int) -> c_int {
    let Some((disk, mut state, file)) = file(fd) else {
        return sync(fd);
    };
    let fault = disk.meet_file(&mut state, Operation::Sync, &file);
    if fault == Some(Fault::Drop) {
        return 0;
    }
    let number = state.sync_begins(file.handle);
    if let Some(Fault::Fails(error)) = fault {
        state.sync_ends(file.handle, number, error);
        return fails(error);
    }
    drop(state);
    let done = sync(fd);
    let error = if done == 0 { 0 } else { raw::errno() };
    aside(|| disk.state().sync_ends(file.handle, number, error));
    done
}

#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    syncing(fd, raw::fsync)
}

#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    syncing(fd, raw::fdatasync)
}

#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    let Some((disk, mut state, file)) = file(fd) else {
        return raw::ftruncate(fd, length);
    };
    if let Some(Fault::Fails(error)) = disk.meet_file(&mut state, Operation::Truncate, &file) {
        return fails(error);
    }
    let done = raw::ftruncate(fd, length);
    if done == 0 {
        state.record(Kind::Truncate, file.handle, [length.unsigned_abs(), 0], &[]);
    }
    done
}

#[cfg_attr(not(test), unsafe(no_mangle))]
pub extern "C" fn ftruncate(fd: c_int, length: off64_t) -> c_int {
    ftruncate64(fd, length)
}
