//! The log of the library in `tests/disk`, read back: what a process did to its files, in order. Its format stands in
//! `tests/disk/src/record.rs`; it is read here by code of its own.

use std::ops::Range;

use anyhow::{Context, bail};

const HEAD: usize = 32;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it ends in the log. Whoever saw the log this long saw it happen.
    pub end: usize,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A process begins: its handles are its own.
    Start,
    Open {
        handle: u32,
        path: String,
        made: bool,
        dir: bool,
    },
    /// The bytes are those of the log in this range.
    Write {
        handle: u32,
        offset: usize,
        bytes: Range<usize>,
    },
    Zeros {
        handle: u32,
        offset: usize,
        length: usize,
    },
    Truncate {
        handle: u32,
        length: usize,
    },
    SyncBegins {
        handle: u32,
        number: u64,
    },
    SyncEnds {
        handle: u32,
        number: u64,
        failed: bool,
    },
    Rename {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    Mkdir {
        path: String,
    },
    Link {
        from: String,
        to: String,
    },
    Rmdir {
        path: String,
    },
    /// A rule broke this: "eio sync data/smoother.db-wal".
    Fault(String),
}

/// Every whole record of a log. A process that was killed may leave a part of one at the end.
///
/// # Errors
/// It is no log.
pub fn records(log: &[u8]) -> anyhow::Result<Vec<Record>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(head) = log.get(at..at + HEAD) {
        let start = at + HEAD;
        let bytes = start..start + number(&head[24..28])?;
        let Some(content) = log.get(bytes.clone()) else {
            break;
        };
        at = bytes.end;
        let event = event(head, content, bytes).with_context(|| format!("the record that ends at {at}"))?;
        found.push(Record { end: at, event });
    }
    Ok(found)
}

fn event(head: &[u8], content: &[u8], bytes: Range<usize>) -> anyhow::Result<Event> {
    if head[0] != 0xD5 {
        bail!("begins with {:#x}", head[0]);
    }
    let handle = u32::try_from(number(&head[4..8])?)?;
    let (a, b) = (number(&head[8..16])?, number(&head[16..24])?);
    let path = || Ok::<_, anyhow::Error>(String::from_utf8(content.to_vec())?);
    let two = || {
        let both = path()?;
        let (from, to) = both.split_once('\0').context("one path, not two")?;
        Ok::<_, anyhow::Error>((from.to_owned(), to.to_owned()))
    };
    Ok(match head[1] {
        1 => Event::Start,
        2 => Event::Open {
            handle,
            path: path()?,
            made: a & 1 != 0,
            dir: a & 2 != 0,
        },
        3 => Event::Write {
            handle,
            offset: a,
            bytes,
        },
        4 => Event::Zeros {
            handle,
            offset: a,
            length: b,
        },
        5 => Event::Truncate { handle, length: a },
        6 => Event::SyncBegins {
            handle,
            number: a as u64,
        },
        7 => Event::SyncEnds {
            handle,
            number: a as u64,
            failed: b != 0,
        },
        8 => two().map(|(from, to)| Event::Rename { from, to })?,
        9 => Event::Unlink { path: path()? },
        10 => Event::Mkdir { path: path()? },
        11 => two().map(|(from, to)| Event::Link { from, to })?,
        12 => Event::Rmdir { path: path()? },
        13 => Event::Fault(path()?),
        kind => bail!("unknown kind {kind}"),
    })
}

fn number(bytes: &[u8]) -> anyhow::Result<usize> {
    let mut whole = [0; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Ok(usize::try_from(u64::from_le_bytes(whole))?)
}
