//! The lines of a batch, read on a thread of their own a few ahead of what is sent: a file of any size costs the
//! memory of the lines under way.

use crate::commands::{CommandError, Terminal};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use tokio::sync::mpsc;

/// The longest line that is read: more than a request's body may have with the rest of its line.
pub const LONGEST: usize = 32 << 20;

/// Lines read ahead.
const AHEAD: usize = 16;

/// A line that is not blank.
#[derive(Debug)]
pub struct RawLine {
    /// Its number, from 1; blank ones count.
    pub number: u64,
    /// Without the newline.
    pub bytes: Vec<u8>,
    /// Whether it was longer than [`LONGEST`]: then `bytes` is empty.
    pub cut: bool,
}

/// A file or stdin.
#[derive(Debug)]
pub struct Source {
    /// The file's name without its folder, or `-`: part of each line's key.
    pub name: String,
    /// Lines that are not blank, where they can be counted beforehand.
    pub lines: Option<u64>,
    read: mpsc::Receiver<io::Result<RawLine>>,
}

impl Source {
    /// Opens `file`, or takes stdin for `-`.
    pub fn open(file: &Path, terminal: &mut Terminal) -> Result<Self, CommandError> {
        let unread = |e| CommandError::file(format!("{} cannot be read", file.display()), e);
        let (name, lines, input): (_, _, Box<dyn Read + Send>) = if file == Path::new("-") {
            let input = std::mem::replace(&mut terminal.input, Box::new(io::empty()));
            ("-".to_owned(), None, input)
        } else {
            let name = file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let input = File::open(file).map_err(unread)?;
            // A pipe can be read once only.
            let lines = if input.metadata().map_err(unread)?.is_file() {
                Some(Self::count(File::open(file).map_err(unread)?).map_err(unread)?)
            } else {
                None
            };
            (name, lines, Box::new(input))
        };
        let (to, read) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut lines = Lines::new(input);
            while let Some(line) = lines.next().transpose() {
                let failed = line.is_err();
                if to.blocking_send(line).is_err() || failed {
                    return;
                }
            }
        });
        Ok(Self { name, lines, read })
    }

    /// The next line, none after the last.
    pub async fn next(&mut self) -> Option<io::Result<RawLine>> {
        self.read.recv().await
    }

    fn count(file: File) -> io::Result<u64> {
        let mut lines = Lines::new(file);
        let mut count = 0;
        while lines.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

struct Lines<R> {
    input: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 18, input),
            number: 0,
        }
    }

    /// The next line that is not blank.
    fn next(&mut self) -> io::Result<Option<RawLine>> {
        while let Some((mut bytes, cut)) = self.line()? {
            self.number += 1;
            if self.number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
                bytes.drain(..3);
            }
            if cut || !bytes.trim_ascii().is_empty() {
                let number = self.number;
                return Ok(Some(RawLine { number, bytes, cut }));
            }
        }
        Ok(None)
    }

    /// The next line of any kind, or that it was too long to be kept; none at the end.
    fn line(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let (mut bytes, mut cut, mut any) = (Vec::new(), false, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                return Ok(any.then_some((bytes, cut)));
            }
            any = true;
            let newline = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..newline.unwrap_or(chunk.len())];
            cut |= bytes.len() + part.len() > LONGEST;
            if cut {
                bytes = Vec::new();
            } else {
                bytes.extend_from_slice(part);
            }
            let used = part.len() + usize::from(newline.is_some());
            self.input.consume(used);
            if newline.is_some() {
                return Ok(Some((bytes, cut)));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_skipped_but_counted_and_overlong_ones_cut() {
        let mut text = b"\xef\xbb\xbf{1}\r\n\n  \n{4}\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', LONGEST + 1));
        text.extend_from_slice(b"\n{6}");
        let mut lines = Lines::new(&text[..]);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push((line.number, String::from_utf8(line.bytes).unwrap(), line.cut));
        }
        let expected = [
            (1, "{1}\r", false),
            (4, "{4}", false),
            (5, "", true),
            (6, "{6}", false),
        ];
        assert_eq!(seen, expected.map(|(n, text, cut)| (n, text.to_owned(), cut)));
    }
}
