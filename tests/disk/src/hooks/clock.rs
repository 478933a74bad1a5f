//! The wall's clock, which fails once when it is told to: a process that cannot know the time panics where it asks.
//!
//! `BROKEN_CLOCK` names a file. Whoever looks at the wall's clock while the file is there takes the file away and gets
//! EINVAL; nobody else does. Without that variable, and for every other clock, nothing is broken.

use super::fails;
use crate::raw;
use libc::{c_int, clockid_t, timespec};
use std::ffi::CString;
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;

type GetTime = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;

/// The C library's own, which asks the kernel without a system call.
fn real() -> GetTime {
    static REAL: OnceLock<GetTime> = OnceLock::new();
    *REAL.get_or_init(|| {
        // SAFETY: the name is a C string.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"clock_gettime".as_ptr()) };
        if found.is_null() {
            raw::give_up("the C library has no clock_gettime");
        }
        // SAFETY: the C library's function of that name has this type.
        unsafe { std::mem::transmute::<*mut libc::c_void, GetTime>(found) }
    })
}

/// Whether this look is the one that fails.
fn breaks() -> bool {
    static FILE: OnceLock<Option<CString>> = OnceLock::new();
    let file = FILE.get_or_init(|| CString::new(std::env::var_os("BROKEN_CLOCK")?.into_vec()).ok());
    let Some(file) = file else {
        return false;
    };
    // SAFETY: it is a C string. Of those who try to take the file away, one does.
    unsafe { raw::unlink(file.as_ptr(), 0) == 0 }
}

/// # Safety
/// `time` has room for one.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if clock == libc::CLOCK_REALTIME {
        let error = raw::errno();
        if breaks() {
            return fails(libc::EINVAL);
        }
        raw::set_errno(error);
    }
    // SAFETY: the caller's promise.
    unsafe { real()(clock, time) }
}
