//! A picture that is drawn again and again on a terminal.
//!
//! It is drawn on the terminal's second screen, from its corner: what a narrower window did to the last drawing
//! does not matter, because nothing is counted back from it, and every line wipes what stood to its right.

use std::io::{self, Write};

/// To the second screen, without its cursor, and lines cut at the edge instead of taking two.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
/// Back to the first, as it was.
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const CORNER: &str = "\x1b[H";
const WIPE_LINE: &str = "\x1b[K";
const WIPE_BELOW: &str = "\x1b[J";

/// The second screen, for as long as this lives; the last picture stays on the first one.
pub struct Screen<'a> {
    to: &'a mut dyn Write,
    last: Option<String>,
}

impl<'a> Screen<'a> {
    /// Draws on `to`, from the first picture on.
    pub fn new(to: &'a mut dyn Write) -> Self {
        Self { to, last: None }
    }

    /// Whether there has been a picture.
    pub fn is_drawn(&self) -> bool {
        self.last.is_some()
    }

    /// Puts a picture in place of the last one.
    pub fn draw(&mut self, picture: String) -> io::Result<()> {
        if self.last.is_none() {
            write!(self.to, "{ENTER}")?;
        }
        write!(self.to, "{CORNER}")?;
        let mut lines = picture.lines().peekable();
        while let Some(line) = lines.next() {
            let end = if lines.peek().is_some() { "\r\n" } else { "" };
            write!(self.to, "{line}{WIPE_LINE}{end}")?;
        }
        write!(self.to, "{WIPE_BELOW}")?;
        self.last = Some(picture);
        self.to.flush()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        if let Some(last) = self.last.take() {
            // A terminal that is gone needs nothing put right.
            let _ = write!(self.to, "{LEAVE}{last}").and_then(|()| self.to.flush());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What a terminal of `width` columns shows: the second screen while it is on, and the first.
    #[derive(Default)]
    struct Terminal {
        first: Vec<Vec<char>>,
        second: Option<Vec<Vec<char>>>,
        row: usize,
        column: usize,
        width: usize,
    }

    impl Terminal {
        fn screen(&mut self) -> &mut Vec<Vec<char>> {
            self.second.as_mut().unwrap_or(&mut self.first)
        }

        /// A narrower window: what is longer takes further lines, as many terminals do it.
        fn narrow(&mut self, width: usize) {
            self.width = width;
            let lines = std::mem::take(self.screen());
            *self.screen() = lines
                .iter()
                .flat_map(|line| line.chunks(width).map(<[char]>::to_vec).collect::<Vec<_>>())
                .collect();
        }

        fn put(&mut self, c: char) {
            let (row, column) = (self.row, self.column.min(self.width - 1));
            let screen = self.screen();
            while screen.len() <= row {
                screen.push(Vec::new());
            }
            while screen[row].len() <= column {
                screen[row].push(' ');
            }
            screen[row][column] = c;
            self.column = column + 1;
        }

        fn obey(&mut self, text: &str) {
            let mut rest = text;
            while let Some(c) = rest.chars().next() {
                rest = &rest[c.len_utf8()..];
                match c {
                    '\x1b' => {
                        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                        self.control(&rest[..=end]);
                        rest = &rest[end + 1..];
                    }
                    '\r' => self.column = 0,
                    '\n' => (self.row, self.column) = (self.row + 1, 0),
                    c => self.put(c),
                }
            }
        }

        fn control(&mut self, code: &str) {
            let (row, column) = (self.row, self.column);
            match code {
                "[?1049h" => self.second = Some(Vec::new()),
                "[?1049l" => (self.second, self.row, self.column) = (None, 0, 0),
                "[H" => (self.row, self.column) = (0, 0),
                "[K" => {
                    if let Some(line) = self.screen().get_mut(row) {
                        line.truncate(column);
                    }
                }
                "[J" => self.screen().truncate(row + 1),
                "[?7l" | "[?7h" | "[?25l" | "[?25h" => {}
                other => panic!("{other:?} is not understood"),
            }
        }

        fn shown(&mut self) -> Vec<String> {
            let lines = self.screen().iter();
            lines
                .map(|line| line.iter().collect::<String>().trim_end().to_owned())
                .collect()
        }
    }

    #[test]
    fn a_picture_replaces_the_last_one_after_the_window_was_narrowed() {
        let mut terminal = Terminal {
            width: 40,
            ..Terminal::default()
        };
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen
            .draw("head                         end\na long line of thirty and more letters\n".to_owned())
            .unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        let first = text.split("\x1b[?7h").next().unwrap();
        terminal.obey(first);
        assert_eq!(terminal.shown().len(), 2);
        terminal.narrow(20);
        assert!(terminal.shown().len() > 2);

        let mut out = Vec::new();
        let mut screen = Screen {
            to: &mut out,
            last: Some(String::new()),
        };
        screen.draw("head\nshort\n".to_owned()).unwrap();
        std::mem::forget(screen);
        terminal.obey(&String::from_utf8(out).unwrap());
        assert_eq!(terminal.shown(), ["head", "short"]);
    }

    #[test]
    fn the_first_screen_is_given_back_with_the_last_picture() {
        let mut terminal = Terminal {
            width: 40,
            ..Terminal::default()
        };
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.draw("one\n".to_owned()).unwrap();
        screen.draw("two\n".to_owned()).unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("\x1b[?25h") && text.contains("\x1b[?7h"),
            "{text:?}"
        );
        terminal.obey(&text);
        assert!(terminal.second.is_none());
        assert_eq!(terminal.shown(), ["two"]);
    }

    #[test]
    fn without_a_picture_the_terminal_is_left_alone() {
        let mut out = Vec::new();
        drop(Screen::new(&mut out));
        assert!(out.is_empty());
    }
}
