//! The disk: which descriptors are files of it, what befalls them, and the log.

use crate::place::{Place, is_memory};
use crate::raw;
use crate::record::{Kind, head};
use crate::rule::{Fault, Operation, Rules};
use libc::c_int;
use std::collections::HashMap;
use std::ffi::{CStr, CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Descriptors that are watched, a bit each, so that a socket costs no lock. Larger ones are not watched.
static WATCHED: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];

/// The most bytes of rules.
const RULES: usize = 4_096;

/// What one process sees of the disk.
#[derive(Debug)]
pub struct Disk {
    root: Vec<u8>,
    rules: Option<CString>,
    state: Mutex<State>,
}

/// Held while an operation and its record are made, so that the log has the order in which things were.
#[derive(Debug)]
pub struct State {
    log: c_int,
    open: HashMap<c_int, OpenFile>,
    last_handle: u32,
    syncs: u64,
    rules: Rules,
}

/// A descriptor.
#[derive(Debug, Clone)]
pub struct OpenFile {
    pub handle: u32,
    pub place: Place,
    pub appends: bool,
    path: Vec<u8>,
}

impl Disk {
    /// The disk, if the environment names one.
    pub fn get() -> Option<&'static Self> {
        static DISK: OnceLock<Option<Disk>> = OnceLock::new();
        DISK.get_or_init(Self::from_environment).as_ref()
    }

    /// The disk, if this descriptor may be a file of it.
    pub fn of(fd: c_int) -> Option<&'static Self> {
        let (word, bit) = bit(fd)?;
        (word.load(Ordering::Acquire) & bit != 0)
            .then(Self::get)
            .flatten()
    }

    fn from_environment() -> Option<Self> {
        let text = |name| std::env::var_os(name).map(OsString::into_vec);
        let path = |name| text(name).and_then(|text| CString::new(text).ok());
        let root = text("BROKEN_DISK_ROOT")?;
        let Some(log) = path("BROKEN_DISK_LOG") else {
            raw::give_up("BROKEN_DISK_ROOT is set, BROKEN_DISK_LOG is not");
        };
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
        // SAFETY: the path is a C string.
        let log = unsafe { raw::openat(libc::AT_FDCWD, log.as_ptr(), flags, 0o600) };
        if log < 0 {
            raw::give_up("BROKEN_DISK_LOG cannot be opened");
        }
        let mut state = State {
            log,
            open: HashMap::new(),
            last_handle: 0,
            syncs: 0,
            rules: Rules::default(),
        };
        state.record(Kind::Start, 0, [0, 0], &[]);
        Some(Self {
            root,
            rules: path("BROKEN_DISK_RULES"),
            state: Mutex::new(state),
        })
    }

    /// A path's part below the root; empty for the root itself. `None` for what is not watched.
    pub fn below<'a>(&self, path: &'a CStr) -> Option<&'a [u8]> {
        let rest = path.to_bytes().strip_prefix(self.root.as_slice())?;
        match rest {
            [] => Some(rest),
            [b'/', rest @ ..] if !is_memory(rest) => Some(rest),
            _ => None,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the rules have in store for an operation; a fault is recorded.
    pub fn meet(&self, state: &mut State, operation: Operation, place: Place, path: &[u8]) -> Option<Fault> {
        let text = self.rules.as_deref().map(read_whole).unwrap_or_default();
        if let Err(why) = state.rules.take(&text) {
            raw::give_up(&why);
        }
        let fault = state.rules.meet(operation, place)?;
        let word = match fault {
            Fault::Fails(libc::ENOSPC) => "enospc",
            Fault::Fails(_) => "eio",
            Fault::Short => "short",
            Fault::Flip(_) => "flip",
            Fault::Drop => "drop",
        };
        let mut words = format!("{word} {} ", operation.name()).into_bytes();
        words.extend_from_slice(path);
        state.record(Kind::Fault, 0, [0, 0], &words);
        Some(fault)
    }

    /// The same for an open file.
    pub fn meet_file(&self, state: &mut State, operation: Operation, file: &OpenFile) -> Option<Fault> {
        self.meet(state, operation, file.place, &file.path)
    }
}

impl State {
    pub fn file(&self, fd: c_int) -> Option<OpenFile> {
        self.open.get(&fd).cloned()
    }

    /// A descriptor was opened.
    pub fn opened(&mut self, fd: c_int, path: &[u8], flags: c_int, made: bool) {
        let Some((word, bit)) = bit(fd) else { return };
        let is_dir = raw::look(fd).is_some_and(|(mode, _)| mode & libc::S_IFMT == libc::S_IFDIR);
        self.last_handle += 1;
        let handle = self.last_handle;
        let file = OpenFile {
            handle,
            place: if is_dir { Place::Dir } else { Place::of(path) },
            appends: flags & libc::O_APPEND != 0,
            path: path.to_vec(),
        };
        self.open.insert(fd, file);
        word.fetch_or(bit, Ordering::AcqRel);
        self.record(
            Kind::Open,
            handle,
            [u64::from(made) | u64::from(is_dir) << 1, 0],
            path,
        );
        if flags & libc::O_TRUNC != 0 && !made {
            self.record(Kind::Truncate, handle, [0, 0], &[]);
        }
    }

    /// A descriptor is about to be closed.
    pub fn closing(&mut self, fd: c_int) {
        self.open.remove(&fd);
        if let Some((word, bit)) = bit(fd) {
            word.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// Something was written.
    pub fn wrote(&mut self, handle: u32, offset: u64, bytes: &[u8]) {
        // All zero where the first is, and each is as the one before it.
        if bytes.len() > 512 && bytes[0] == 0 && bytes[1..] == bytes[..bytes.len() - 1] {
            self.record(Kind::Zeros, handle, [offset, bytes.len() as u64], &[]);
        } else {
            self.record(Kind::Write, handle, [offset, 0], bytes);
        }
    }

    /// A number for a sync that begins.
    pub fn sync_begins(&mut self, handle: u32) -> u64 {
        self.syncs += 1;
        self.record(Kind::SyncBegins, handle, [self.syncs, 0], &[]);
        self.syncs
    }

    pub fn sync_ends(&mut self, handle: u32, number: u64, error: c_int) {
        self.record(
            Kind::SyncEnds,
            handle,
            [number, u64::from(error.unsigned_abs())],
            &[],
        );
    }

    /// Two paths in one record.
    pub fn named(&mut self, kind: Kind, from: &[u8], to: &[u8]) {
        self.record(kind, 0, [0, 0], &[from, &[0], to].concat());
    }

    pub fn record(&mut self, kind: Kind, handle: u32, numbers: [u64; 2], bytes: &[u8]) {
        let Ok(length) = u32::try_from(bytes.len()) else {
            raw::give_up("a write of more than 4 GB");
        };
        let head = head(kind, handle, numbers[0], numbers[1], length);
        let record = [&head, bytes].concat();
        let mut left = record.as_slice();
        while !left.is_empty() {
            // SAFETY: the bytes are there.
            let written = unsafe { raw::write(self.log, left.as_ptr().cast(), left.len()) };
            match usize::try_from(written) {
                Ok(written) => left = &left[written..],
                Err(_) if raw::errno() == libc::EINTR => {}
                Err(_) => raw::give_up("the log cannot be written"),
            }
        }
    }
}

/// A descriptor's bit.
fn bit(fd: c_int) -> Option<(&'static AtomicU64, u64)> {
    let fd = usize::try_from(fd).ok()?;
    Some((WATCHED.get(fd / 64)?, 1 << (fd % 64)))
}

/// A small file; nothing where it is not there.
fn read_whole(path: &CStr) -> Vec<u8> {
    let mut text = vec![0; RULES];
    // SAFETY: the path is a C string.
    let fd = unsafe { raw::openat(libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC, 0) };
    if fd < 0 {
        return Vec::new();
    }
    // SAFETY: there is room for as many.
    let read = unsafe { raw::read(fd, text.as_mut_ptr().cast(), text.len()) };
    raw::close(fd);
    text.truncate(usize::try_from(read).unwrap_or(0));
    text
}
