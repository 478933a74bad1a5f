//! Reading a log from its start to its end.

use super::frames::{FRAME_HEADER, Frame, HEADER, Header, Salts, Sum};
use std::io::{self, BufReader, Read};

/// What a log is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Log {
    /// Nothing was ever written to it, or it was emptied.
    Empty,
    /// Its header is not one, and there is something behind it.
    Headless,
    /// Whole up to a place.
    Readable(Readable),
    /// Behind a frame that does not fit stands one that was written after that one was durable.
    Broken { bad: u64, proof: u64 },
}

/// The part of a log that SQLite will take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Readable {
    pub salts: Salts,
    /// Frames up to the last whole transaction's end.
    pub committed: u64,
    /// Bytes up to there.
    pub bytes: u64,
    /// The checksum of the frame that was asked for, if it is among them.
    pub asked: Option<Sum>,
}

/// Reads the log; `ask` is the number of a frame, from 1, whose checksum is wanted.
pub(super) fn scan(log: impl Read, ask: u64) -> io::Result<Log> {
    let mut log = BufReader::with_capacity(1 << 20, log);
    let mut bytes = [0; HEADER];
    if !fill(&mut log, &mut bytes)? {
        return Ok(Log::Empty);
    }
    match Header::read(&bytes) {
        Some(header) => frames(&mut log, &header, ask),
        None if is_zero(&mut log)? => Ok(Log::Empty),
        None => Ok(Log::Headless),
    }
}

fn frames(log: &mut impl Read, header: &Header, ask: u64) -> io::Result<Log> {
    let (mut head, mut page) = ([0; FRAME_HEADER], vec![0; header.page]);
    let mut whole = header.sum;
    let mut bad = None;
    let mut before: Option<Frame> = None;
    let mut asked = None;
    let mut found = Readable {
        salts: header.salts,
        committed: 0,
        bytes: HEADER as u64,
        asked: None,
    };
    for n in 1.. {
        if !fill(log, &mut head)? || !fill(log, &mut page)? {
            break;
        }
        let frame = Frame::read(&head);
        match bad {
            None if header.follows(whole, &frame, &page) => {
                whole = frame.sum;
                if n == ask {
                    asked = Some(frame.sum);
                }
                if frame.commits {
                    found.committed = n;
                    found.bytes = HEADER as u64 + n * (FRAME_HEADER + header.page) as u64;
                    found.asked = asked;
                }
            }
            None => bad = Some(n),
            Some(bad) => {
                if let Some(before) = before
                    && before.commits
                    && header.follows(before.sum, &frame, &page)
                {
                    return Ok(Log::Broken { bad, proof: n });
                }
            }
        }
        before = Some(frame);
    }
    Ok(Log::Readable(found))
}

/// Fills `bytes`, or says that the log ends before.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether only zeros are left.
fn is_zero(log: &mut impl Read) -> io::Result<bool> {
    let mut piece = vec![0; 1 << 16];
    loop {
        match log.read(&mut piece)? {
            0 => return Ok(true),
            n if piece[..n].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::made::{Log as Made, PAGE};
    use super::*;

    fn committed(bytes: &[u8]) -> u64 {
        match scan(bytes, 0).unwrap() {
            Log::Readable(found) => found.committed,
            other => panic!("{other:?}"),
        }
    }

    fn three() -> Made {
        let mut log = Made::new(5);
        for (frames, fill) in [(2, 1), (3, 2), (2, 3)] {
            log.transaction(frames, fill);
        }
        log
    }

    #[test]
    fn a_whole_log_is_read_to_its_end_whatever_old_frames_or_zeros_follow() {
        let mut over = three().bytes;
        assert_eq!(committed(&over), 7);
        let mut old = Made::new(4);
        old.transaction(12, 9);
        over.extend_from_slice(&old.bytes[over.len()..]);
        over.extend(vec![0; 5_000]);
        assert_eq!(committed(&over), 7);
    }

    #[test]
    fn a_torn_last_transaction_is_an_end_and_not_damage() {
        let log = three().bytes;
        for lost in [6, 7] {
            let mut torn = log.clone();
            torn[Made::frame(lost)..Made::frame(lost) + PAGE].fill(0);
            assert_eq!(committed(&torn), 5, "frame {lost} lost");
        }
        for cut in Made::frame(6)..log.len() {
            assert_eq!(committed(&log[..cut]), 5, "cut at {cut}");
        }
    }

    #[test]
    fn a_frame_that_follows_a_later_commit_proves_damage() {
        let log = three().bytes;
        for bad in 1..=5 {
            for byte in [0, 9, 30, 300] {
                let mut broken = log.clone();
                broken[Made::frame(bad) + byte] ^= 0x10;
                let found = scan(&broken[..], 0).unwrap();
                let proof = if bad <= 2 { 3 } else { 6 };
                // The frame right behind the bad one follows from the checksum that the bad one still holds.
                assert_eq!(
                    found,
                    Log::Broken {
                        bad: bad as u64,
                        proof
                    }
                );
            }
        }
    }

    #[test]
    fn frames_wiped_with_their_headers_are_found_by_the_commit_behind_them() {
        let mut log = three().bytes;
        log[Made::frame(1)..Made::frame(3)].fill(0xEE);
        assert_eq!(scan(&log[..], 0).unwrap(), Log::Broken { bad: 1, proof: 6 });
    }

    #[test]
    fn what_a_torn_transaction_left_behind_a_newer_torn_one_is_no_damage() {
        // A long transaction lost its first frame at a power cut; the next run wrote a shorter one over it, and
        // that lost its first frame too.
        let mut log = three();
        log.transaction(6, 4);
        let mut newer = log.branch(7);
        newer.transaction(2, 5);
        let mut bytes = newer.bytes.clone();
        bytes.extend_from_slice(&log.bytes[bytes.len()..]);
        assert_eq!(committed(&bytes), 9);
        bytes[Made::frame(8)..Made::frame(9)].fill(0);
        assert_eq!(committed(&bytes), 7);
    }

    #[test]
    fn an_empty_log_is_told_from_one_that_lost_its_header() {
        assert_eq!(scan(&[][..], 0).unwrap(), Log::Empty);
        assert_eq!(scan(&[0; 10_000][..], 0).unwrap(), Log::Empty);
        let log = three().bytes;
        for byte in [0, 8, 17, 29] {
            let mut headless = log.clone();
            headless[byte] ^= 4;
            assert_eq!(scan(&headless[..], 0).unwrap(), Log::Headless, "byte {byte}");
        }
    }

    #[test]
    fn the_checksum_of_a_frame_is_given_only_where_it_is_committed() {
        let log = three().bytes;
        let asked = |bytes: &[u8], n| match scan(bytes, n).unwrap() {
            Log::Readable(found) => found.asked,
            other => panic!("{other:?}"),
        };
        assert!(asked(&log, 7).is_some());
        assert_ne!(asked(&log, 5), asked(&log, 7));
        assert_eq!(asked(&log[..log.len() - 1], 6), None);
        assert_eq!(asked(&log, 8), None);
    }
}
