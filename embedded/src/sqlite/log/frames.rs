//! The write-ahead log's format, as <https://www.sqlite.org/fileformat2.html#walformat> gives it.

/// Bytes of the log's header.
pub(super) const HEADER: usize = 32;
/// Bytes of a frame's header; the page follows.
pub(super) const FRAME_HEADER: usize = 24;

/// The last four bits of the magic number say in which order the checksums take their words.
const MAGIC: u32 = 0x377F_0682;

/// Tells one generation of the log from the next: chosen anew whenever the log begins again at its start.
pub(super) type Salts = [u8; 8];

/// A running checksum: each frame's goes on from the one before it.
pub(super) type Sum = [u32; 2];

/// The log's header, if it is whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub page: usize,
    pub salts: Salts,
    pub sum: Sum,
    big_endian: bool,
}

impl Header {
    pub fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let magic = word(bytes, 0);
        let page = usize::try_from(word(bytes, 8)).ok()?;
        if magic & !1 != MAGIC || !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            return None;
        }
        let big_endian = magic & 1 == 1;
        let sum = checksum([0, 0], &bytes[..24], big_endian);
        (sum == [word(bytes, 24), word(bytes, 28)]).then(|| Self {
            page,
            salts: salts(&bytes[16..24]),
            sum,
            big_endian,
        })
    }

    /// Whether `frame`, of this generation, goes on from one whose checksum is `before`.
    pub fn follows(&self, before: Sum, frame: &Frame, page: &[u8]) -> bool {
        frame.salts == self.salts
            && frame.page != 0
            && checksum(
                checksum(before, &frame.first, self.big_endian),
                page,
                self.big_endian,
            ) == frame.sum
    }
}

/// A frame's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    page: u32,
    /// It is the last of its transaction.
    pub commits: bool,
    pub salts: Salts,
    pub sum: Sum,
    first: [u8; 8],
}

impl Frame {
    pub fn read(bytes: &[u8; FRAME_HEADER]) -> Self {
        Self {
            page: word(bytes, 0),
            commits: word(bytes, 4) != 0,
            salts: salts(&bytes[8..16]),
            sum: [word(bytes, 16), word(bytes, 20)],
            first: salts(&bytes[..8]),
        }
    }
}

fn checksum(before: Sum, bytes: &[u8], big_endian: bool) -> Sum {
    let [mut a, mut b] = before;
    let read = |bytes: &[u8]| {
        let word = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big_endian {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        }
    };
    for pair in bytes.chunks_exact(8) {
        a = a.wrapping_add(read(pair)).wrapping_add(b);
        b = b.wrapping_add(read(&pair[4..])).wrapping_add(a);
    }
    [a, b]
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn salts(bytes: &[u8]) -> Salts {
    let mut salts = [0; 8];
    salts.copy_from_slice(bytes);
    salts
}

#[cfg(test)]
pub(super) mod made {
    //! Logs made by hand.

    use super::*;

    pub const PAGE: usize = 512;

    /// A log under construction.
    pub struct Log {
        pub bytes: Vec<u8>,
        salts: Salts,
        sum: Sum,
    }

    impl Log {
        pub fn new(salt: u32) -> Self {
            let mut bytes = Vec::new();
            for value in [MAGIC, 3_007_000, 512, 0, salt, 77] {
                bytes.extend(value.to_be_bytes());
            }
            let sum = checksum([0, 0], &bytes, false);
            bytes.extend(sum.iter().flat_map(|word| word.to_be_bytes()));
            Self {
                salts: salts(&bytes[16..24]),
                bytes,
                sum,
            }
        }

        /// Writes one transaction of so many frames after the last.
        pub fn transaction(&mut self, frames: usize, fill: u8) {
            for (page, n) in (1u32..).zip(1..=frames) {
                let commit = if n == frames { 9u32 } else { 0 };
                let mut head = Vec::new();
                head.extend(page.to_be_bytes());
                head.extend(commit.to_be_bytes());
                let content = vec![fill; PAGE];
                self.sum = checksum(checksum(self.sum, &head, false), &content, false);
                head.extend(self.salts);
                head.extend(self.sum.iter().flat_map(|word| word.to_be_bytes()));
                self.bytes.extend(head);
                self.bytes.extend(content);
            }
        }

        /// Where frame `n`, counted from 1, begins.
        pub fn frame(n: usize) -> usize {
            HEADER + (n - 1) * (FRAME_HEADER + PAGE)
        }

        /// Goes back to after frame `n`, as after a rollback or a torn end; what is behind stays in `bytes`.
        pub fn branch(&self, n: usize) -> Self {
            let at = Self::frame(n);
            let bytes = self.bytes[..Self::frame(n + 1)].to_vec();
            Self {
                sum: [word(&bytes, at + 16), word(&bytes, at + 20)],
                salts: self.salts,
                bytes,
            }
        }
    }
}
