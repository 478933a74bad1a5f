//! Runs a command line with streams in memory.

use crate::cli::{Cli, Command};
use crate::commands::terminal::Voice;
use crate::commands::{Exit, Farewell, Terminal, run};
use clap::Parser;
use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub exit: Exit,
    pub out: String,
    pub err: String,
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    /// What was written, without colours, as a pipe gets it.
    fn text(&self) -> String {
        anstream::adapter::strip_str(&String::from_utf8(self.0.lock().unwrap().clone()).unwrap()).to_string()
    }
}

/// `smoother …` against the server at `url`, with `input` on stdin.
pub async fn smoother(url: &str, arguments: &[&str], input: &str) -> Said {
    let start = ["smoother", "--server", url, "--patience", "5"];
    let cli = Cli::try_parse_from(start.iter().chain(arguments)).unwrap();
    let Command::Client(command) = cli.command else {
        panic!("not a client's command");
    };
    let (out, err) = (Buffer::default(), Buffer::default());
    let mut terminal = Terminal {
        out: Box::new(out.clone()),
        err: Voice::new(err.clone()),
        input: Box::new(Cursor::new(input.to_owned())),
        out_is_live: false,
        err_is_live: false,
    };
    let exit = run(command, cli.common, &Farewell::default(), &mut terminal).await;
    Said {
        exit,
        out: out.text(),
        err: err.text(),
    }
}
