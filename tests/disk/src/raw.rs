//! The system calls themselves. The C library's own functions of these names are those that are replaced here.
//!
//! Each gives what the kernel gave: a value, or -1 with `errno` set.

use libc::{c_char, c_int, c_long, c_void, mode_t, off64_t, size_t, ssize_t, syscall};

/// A system call gives back a `long`; the C functions of those with an `int` give that.
#[allow(clippy::cast_possible_truncation)] // The kernel gives an int here.
const fn int(value: c_long) -> c_int {
    value as c_int
}

#[allow(clippy::cast_possible_truncation)] // Both are as wide as a pointer.
const fn size(value: c_long) -> ssize_t {
    value as ssize_t
}

pub fn errno() -> c_int {
    // SAFETY: the C library gives a valid pointer to this thread's own number.
    unsafe { *libc::__errno_location() }
}

pub fn set_errno(number: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = number }
}

/// # Safety
/// `path` is a C string.
pub unsafe fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is the kernel's demand.
    int(unsafe { syscall(libc::SYS_openat, dir, path, flags | libc::O_LARGEFILE, mode) })
}

pub fn close(fd: c_int) -> c_int {
    // SAFETY: no memory is passed.
    int(unsafe { syscall(libc::SYS_close, fd) })
}

/// # Safety
/// `buffer` has room for `count` bytes.
pub unsafe fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's promise is the kernel's demand.
    size(unsafe { syscall(libc::SYS_read, fd, buffer, count) })
}

/// # Safety
/// `buffer` has room for `count` bytes.
pub unsafe fn pread(fd: c_int, buffer: *mut c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's promise is the kernel's demand.
    size(unsafe { syscall(libc::SYS_pread64, fd, buffer, count, offset) })
}

/// # Safety
/// `buffer` has `count` bytes.
pub unsafe fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    // SAFETY: the caller's promise is the kernel's demand.
    size(unsafe { syscall(libc::SYS_write, fd, buffer, count) })
}

/// # Safety
/// `buffer` has `count` bytes.
pub unsafe fn pwrite(fd: c_int, buffer: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    // SAFETY: the caller's promise is the kernel's demand.
    size(unsafe { syscall(libc::SYS_pwrite64, fd, buffer, count, offset) })
}

/// # Safety
/// `pieces` are `count` pieces of memory.
pub unsafe fn writev(fd: c_int, pieces: *const libc::iovec, count: c_int) -> ssize_t {
    // SAFETY: the caller's promise is the kernel's demand.
    size(unsafe { syscall(libc::SYS_writev, fd, pieces, count) })
}

pub fn fsync(fd: c_int) -> c_int {
    // SAFETY: no memory is passed.
    int(unsafe { syscall(libc::SYS_fsync, fd) })
}

pub fn fdatasync(fd: c_int) -> c_int {
    // SAFETY: no memory is passed.
    int(unsafe { syscall(libc::SYS_fdatasync, fd) })
}

pub fn ftruncate(fd: c_int, length: off64_t) -> c_int {
    // SAFETY: no memory is passed.
    int(unsafe { syscall(libc::SYS_ftruncate, fd, length) })
}

/// The descriptor's place in its file.
pub fn tell(fd: c_int) -> off64_t {
    // SAFETY: no memory is passed.
    unsafe { syscall(libc::SYS_lseek, fd, 0_i64, libc::SEEK_CUR) }
}

/// The file's mode and length.
pub fn look(fd: c_int) -> Option<(mode_t, off64_t)> {
    let mut found = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: there is room for one.
    let done = unsafe { libc::fstat(fd, found.as_mut_ptr()) };
    // SAFETY: filled where the call succeeded.
    (done == 0)
        .then(|| unsafe { found.assume_init() })
        .map(|found| (found.st_mode, found.st_size))
}

/// Whether something has this path.
///
/// # Safety
/// `path` is a C string.
pub unsafe fn is_there(path: *const c_char) -> bool {
    // SAFETY: the caller's promise is the kernel's demand.
    unsafe { syscall(libc::SYS_faccessat, libc::AT_FDCWD, path, libc::F_OK) == 0 }
}

/// # Safety
/// Both paths are C strings.
pub unsafe fn rename(from: *const c_char, to: *const c_char) -> c_int {
    let here = libc::AT_FDCWD;
    // SAFETY: the caller's promise is the kernel's demand.
    int(unsafe { syscall(libc::SYS_renameat2, here, from, here, to, 0) })
}

/// # Safety
/// Both paths are C strings.
pub unsafe fn link(from: *const c_char, to: *const c_char) -> c_int {
    let here = libc::AT_FDCWD;
    // SAFETY: the caller's promise is the kernel's demand.
    int(unsafe { syscall(libc::SYS_linkat, here, from, here, to, 0) })
}

/// # Safety
/// `path` is a C string.
pub unsafe fn unlink(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's promise is the kernel's demand.
    int(unsafe { syscall(libc::SYS_unlinkat, libc::AT_FDCWD, path, flags) })
}

/// # Safety
/// `path` is a C string.
pub unsafe fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's promise is the kernel's demand.
    int(unsafe { syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode) })
}

/// Ends the process at once: a log with a gap would prove anything.
pub fn give_up(why: &str) -> ! {
    let text = format!("broken disk: {why}\n");
    // SAFETY: the text is there, and nothing comes after the second call.
    unsafe {
        let _ = write(2, text.as_ptr().cast(), text.len());
        libc::_exit(97)
    }
}
