//! The log's format.
//!
//! One record after the other, in the order in which things happened; all numbers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 1 | 0xD5 |
//! | 1 | kind, see [`Kind`] |
//! | 2 | zero |
//! | 4 | handle: one successful `open`; counted from 1 in each process |
//! | 8, 8 | two numbers, by kind |
//! | 4 | length of what follows |
//! | 4 | zero |
//! | | bytes, by kind |

/// Bytes of a record's head.
pub const HEAD: usize = 32;

/// What happened; the two numbers, and the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A process begins; handles are counted anew.
    Start = 1,
    /// A file was opened. 1 if it was made by it, 2 if it is a directory; 0. Its path below the root.
    Open = 2,
    /// Written. Offset; 0. What was written.
    Write = 3,
    /// Zeros written. Offset; how many. Nothing.
    Zeros = 4,
    /// Cut or made longer. New length; 0. Nothing.
    Truncate = 5,
    /// A sync begins. Its number; 0. Nothing.
    SyncBegins = 6,
    /// It has ended. Its number; 0, or the error. Nothing.
    SyncEnds = 7,
    /// From; zero byte; to.
    Rename = 8,
    /// The path of a file that is no longer there under this name.
    Unlink = 9,
    /// The path of a directory that was made.
    Mkdir = 10,
    /// From; zero byte; to.
    Link = 11,
    /// The path of a directory that was removed.
    Rmdir = 12,
    /// A rule broke an operation. "eio sync data/smoother.db-wal".
    Fault = 13,
}

/// A record's head.
pub fn head(kind: Kind, handle: u32, a: u64, b: u64, length: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0] = 0xD5;
    head[1] = kind as u8;
    head[4..8].copy_from_slice(&handle.to_le_bytes());
    head[8..16].copy_from_slice(&a.to_le_bytes());
    head[16..24].copy_from_slice(&b.to_le_bytes());
    head[24..28].copy_from_slice(&length.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_laid_out_as_the_table_says() {
        let bytes = head(Kind::Write, 0x0102_0304, 5, 0x0600, 7);
        assert_eq!(bytes[..8], [0xD5, 3, 0, 0, 4, 3, 2, 1]);
        assert_eq!(
            bytes[8..],
            [
                [5, 0, 0, 0, 0, 0, 0, 0],
                [0, 6, 0, 0, 0, 0, 0, 0],
                [7, 0, 0, 0, 0, 0, 0, 0]
            ]
            .concat()
        );
    }
}
