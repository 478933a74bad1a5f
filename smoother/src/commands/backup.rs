//! `smoother backup`: a whole copy of one moment, also beside a running server. A start on it is the restore.

use super::Exit;
use super::verify::{complain, data_dir, of_open, tell};
use crate::cli::BackupArgs;
use smoother_embedded::{BackupError, backup, verify};

/// Copies, verifies the copy, reports, and ends as `verify` does.
pub fn main(args: &BackupArgs, json: bool) -> Exit {
    let dir = match data_dir(args.data_dir.as_deref(), args.config.as_deref(), json) {
        Ok(dir) => dir,
        Err(exit) => return exit,
    };
    if let Err(error) = backup(&dir, &args.to) {
        return complain(&error, exit_of(&error), json);
    }
    match verify(&args.to) {
        Ok(report) => tell(&args.to, &report, json),
        Err(error) => complain(&error, Exit::Failed, json),
    }
}

fn exit_of(error: &BackupError) -> Exit {
    match error {
        BackupError::Nothing(_) => Exit::NotFound,
        BackupError::Occupied(_) => Exit::Refused,
        BackupError::Open(error) => of_open(error),
        BackupError::Store(_) => Exit::Failed,
    }
}
