//! Where a command reads and writes. Colours reach terminals only, and none with `NO_COLOR`.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The three streams, and which of them a person looks at.
pub struct Terminal {
    /// What was asked for.
    pub out: Box<dyn Write + Send>,
    /// What is said about it.
    pub err: Voice,
    /// What is given.
    pub input: Box<dyn Read + Send>,
    /// Whether `out` is a terminal.
    pub out_is_live: bool,
    /// Whether `err` is a terminal.
    pub err_is_live: bool,
}

impl Terminal {
    /// The process's own.
    pub fn of_process() -> Self {
        Self {
            out: Box::new(anstream::AutoStream::auto(io::stdout())),
            err: Voice::new(anstream::AutoStream::auto(io::stderr())),
            input: Box::new(io::stdin()),
            out_is_live: io::stdout().is_terminal(),
            err_is_live: io::stderr().is_terminal(),
        }
    }
}

/// A stream that several write to, each line whole.
#[derive(Clone)]
pub struct Voice(Arc<Mutex<Box<dyn Write + Send>>>);

/// One line of what a command says about its work.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// For a person.
    Text(String),
    /// For a script.
    Json(Value),
}

impl Voice {
    /// Over `to`.
    pub fn new(to: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(to))))
    }

    /// Says one line.
    pub fn tell(&self, line: &Told) -> io::Result<()> {
        let mut to = self.locked();
        match line {
            Told::Text(text) => writeln!(to, "{FAINT}{text}{FAINT:#}")?,
            Told::Json(json) => writeln!(to, "{json}")?,
        }
        to.flush()
    }

    fn locked(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Voice {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.locked().write(bytes)
    }

    fn write_fmt(&mut self, words: fmt::Arguments<'_>) -> io::Result<()> {
        self.locked().write_fmt(words)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.locked().flush()
    }
}

impl fmt::Debug for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Voice")
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("out_is_live", &self.out_is_live)
            .field("err_is_live", &self.err_is_live)
            .finish_non_exhaustive()
    }
}

/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What did not.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What is under way, or wants attention.
pub const BUSY: Style = AnsiColor::Yellow.on_default();
/// What is less important.
pub const FAINT: Style = Style::new().dimmed();
/// A heading.
pub const HEAD: Style = Style::new().bold();

/// A state's word in its colour.
pub fn state(word: &str) -> String {
    let style = match word {
        "COMPLETED" => GOOD,
        "FAILED" | "EXPIRED" => BAD,
        "CANCELLED" => FAINT,
        _ => BUSY,
    };
    painted(style, word)
}

/// A text in a style.
pub fn painted(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
