//! How a command ends, for scripts. The same list stands in `smoother --help`.

use crate::client::{ClientError, Problem};
use serde_json::{Value, json};
use std::io;

/// An exit code with its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Another reason than those below.
    Failed,
    /// The command line is wrong.
    Usage,
    /// No such job, lane or file.
    NotFound,
    /// The input is invalid, or the server refused it.
    Refused,
    /// The server cannot be reached, or is stopping.
    Unreachable,
    /// A job ended without an answer.
    NoAnswer,
    /// The job has not ended.
    NotYet,
    /// What is stored is damaged.
    Damaged,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Exit {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Refused,
        Self::Unreachable,
        Self::NoAnswer,
        Self::NotYet,
        Self::Damaged,
        Self::Interrupted,
    ];
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotFound => 3,
            Exit::Refused => 4,
            Exit::Unreachable => 5,
            Exit::NoAnswer => 6,
            Exit::NotYet => 7,
            Exit::Damaged => 8,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(u8::from(exit))
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The server could not be asked, or said no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A flag is missing or does not fit the others.
    #[error("{0}")]
    Usage(String),
    /// What was given to send is not valid.
    #[error("{0}")]
    Input(String),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    File {
        /// Which, and what for.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The job ended without an answer.
    #[error("{}", said(.0))]
    NoAnswer(Box<Problem>),
    /// The job ended, and how.
    #[error("{0}")]
    Ended(String),
    /// The job goes on.
    #[error("{0}")]
    NotYet(String),
    /// Somebody pressed Ctrl-C; what goes on without the command.
    #[error("{0}")]
    Interrupted(String),
    /// The output is gone: whoever read it has enough.
    #[error("the output was closed")]
    Closed,
}

impl CommandError {
    /// A file's failure.
    pub fn file(what: impl Into<String>, source: io::Error) -> Self {
        Self::File {
            what: what.into(),
            source,
        }
    }

    /// How the command ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Client(
                ClientError::Unreachable { .. }
                | ClientError::NoDeployment { .. }
                | ClientError::Unsigned { .. },
            ) => Exit::Unreachable,
            Self::Client(ClientError::Refused { status, .. }) => match status {
                404 => Exit::NotFound,
                500.. => Exit::Unreachable,
                _ => Exit::Refused,
            },
            Self::Client(ClientError::Foreign { .. }) => Exit::Failed,
            Self::Usage(_) => Exit::Usage,
            Self::Input(_) => Exit::Refused,
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::NotFound,
            Self::File { .. } => Exit::Failed,
            Self::NoAnswer(_) | Self::Ended(_) => Exit::NoAnswer,
            Self::NotYet(_) => Exit::NotYet,
            Self::Interrupted(_) => Exit::Interrupted,
            Self::Closed => Exit::Ok,
        }
    }
}

impl CommandError {
    /// The same for scripts: `{"error": {"kind", "exit_code", "message"}}`, and what the server said, if it did.
    pub fn json(&self) -> Value {
        let mut error = error_json(self.kind(), self.exit(), &self.to_string());
        match self {
            Self::Client(ClientError::Refused { status, problem, .. }) => {
                error["error"]["status"] = json!(status);
                error["error"]["problem"] = json!(problem);
            }
            Self::NoAnswer(problem) => error["error"]["problem"] = json!(problem),
            _ => {}
        }
        error
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Client(ClientError::Unreachable { .. }) => "unreachable",
            Self::Client(ClientError::NoDeployment { .. }) => "no-deployment",
            Self::Client(ClientError::Unsigned { .. }) => "unsigned",
            Self::Client(ClientError::Refused { .. }) => "refused",
            Self::Client(ClientError::Foreign { .. }) => "foreign",
            Self::Usage(_) => "usage",
            Self::Input(_) => "input",
            Self::File { .. } => "file",
            Self::NoAnswer(_) | Self::Ended(_) => "no-answer",
            Self::NotYet(_) => "not-yet",
            Self::Interrupted(_) => "interrupted",
            Self::Closed => "closed",
        }
    }
}

/// An error as `--json` prints it, on stderr and as its last line.
pub fn error_json(kind: &str, exit: Exit, message: &str) -> Value {
    json!({"error": {"kind": kind, "exit_code": u8::from(exit), "message": message}})
}

impl From<io::Error> for CommandError {
    /// A failure of the terminal or of the pipe behind it.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::file("the output cannot be written", error)
        }
    }
}

fn said(problem: &Problem) -> String {
    match problem.detail.as_str() {
        "" => problem.title.clone(),
        detail => format!("{}: {detail}", problem.title),
    }
}
