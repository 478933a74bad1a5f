//! One answer an id: whoever reads the output looks lines up by their recordId.
//!
//! What Amazon Bedrock does with an id that stands twice in a file is not documented. Here the first line has it,
//! and every later one is a bad line that fails alone, under an id of its own.

use super::line::Record;
use sha2::{Digest, Sha256};
use smoother_core::quoted;
use std::collections::HashMap;

/// The ids that have been given to lines, with the number of each one's line. Digests, because files have
/// millions of lines and ids may be long.
#[derive(Debug, Default)]
pub struct RecordIds(HashMap<[u8; 16], u64>);

impl RecordIds {
    /// Gives a line its id. One that names an id which an earlier line has comes back as a bad line.
    pub fn claim(&mut self, line: Result<Record, (Record, String)>) -> Result<Record, (Record, String)> {
        let (mut record, mut fault) = match line {
            Ok(record) => (record, None),
            Err((record, words)) => (record, Some(words)),
        };
        if let Some(earlier) = self.take(&record.id, record.number) {
            if record.is_named && fault.is_none() {
                let shown = quoted(&record.id);
                fault = Some(format!(
                    "recordId {shown:?} of line {} is that of line {earlier} already; give each line its own",
                    record.number
                ));
            }
            record.id = self.fresh(record.number);
        }
        match fault {
            None => Ok(record),
            Some(words) => Err((record, words)),
        }
    }

    /// An id that no line has so far; the same again for the same file.
    fn fresh(&mut self, number: u64) -> String {
        let plain = format!("line-{number}");
        let numbered = (2_u64..).map(|n| format!("line-{number}-{n}"));
        std::iter::once(plain.clone())
            .chain(numbered)
            .find(|id| self.take(id, number).is_none())
            .unwrap_or(plain)
    }

    /// Takes an id for a line, or says which line has it.
    fn take(&mut self, id: &str, number: u64) -> Option<u64> {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(id.as_bytes())[..16]);
        match self.0.get(&digest) {
            Some(earlier) => Some(*earlier),
            None => {
                self.0.insert(digest, number);
                None
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::line::parse;
    use super::super::source::RawLine;
    use super::*;

    fn line(number: u64, id: Option<&str>) -> Result<Record, (Record, String)> {
        let id = id.map(|id| format!("\"recordId\":\"{id}\",")).unwrap_or_default();
        let text = format!("{{{id}\"modelInput\":{{}}}}");
        let bytes = text.into_bytes();
        parse(&RawLine {
            number,
            bytes,
            cut: false,
        })
    }

    #[test]
    fn the_first_line_has_the_id_and_a_later_one_fails_under_its_own() {
        let mut ids = RecordIds::default();
        assert_eq!(ids.claim(line(1, Some("A"))).unwrap().id, "A");
        let (record, words) = ids.claim(line(4, Some("A"))).unwrap_err();
        assert_eq!(record.id, "line-4");
        assert!(words.contains("line 4") && words.contains("line 1"), "{words}");
        assert_eq!(ids.claim(line(5, Some("B"))).unwrap().id, "B");
    }

    #[test]
    fn an_id_of_any_length_is_told_at_a_readable_one() {
        let (mut ids, long) = (RecordIds::default(), "A".repeat(10_000));
        assert!(ids.claim(line(1, Some(&long))).is_ok());
        let (_, words) = ids.claim(line(2, Some(&long))).unwrap_err();
        assert!(words.len() < 200, "{words}");
    }

    #[test]
    fn a_line_without_an_id_is_never_at_fault() {
        let mut ids = RecordIds::default();
        assert_eq!(ids.claim(line(1, Some("line-2"))).unwrap().id, "line-2");
        assert_eq!(ids.claim(line(2, None)).unwrap().id, "line-2-2");
        assert_eq!(ids.claim(line(3, None)).unwrap().id, "line-3");
        assert!(ids.claim(line(4, Some("line-3"))).is_err());
    }

    #[test]
    fn a_bad_line_takes_the_id_that_could_be_read() {
        let mut ids = RecordIds::default();
        let bad = |number| {
            let (record, _) = line(number, Some("A")).map(|r| (r, String::new())).unwrap();
            Err((record, "bad".to_owned()))
        };
        assert_eq!(ids.claim(bad(1)).unwrap_err().0.id, "A");
        let (record, words) = ids.claim(bad(2)).unwrap_err();
        assert_eq!((record.id.as_str(), words.as_str()), ("line-2", "bad"));
    }
}
