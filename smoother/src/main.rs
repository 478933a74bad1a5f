//! The `smoother` command: parses, dispatches, and ends with the code that `--help` lists.

use clap::Parser;
use smoother::cli::{Cli, Command};
use smoother::commands::{Exit, error_json};
use smoother::{check_config, commands, plan, serve, sim};
use std::process::ExitCode;

/// A call makes and drops some hundreds of small pieces of memory on several threads; the system's allocator is
/// slower at that and gives less of it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(misread(&error)),
    };
    let json = cli.common.json;
    let exit = match cli.command {
        Command::Serve(args) => serve::main(&args, json),
        Command::Client(command) => commands::main(command, cli.common),
        Command::Sim(command) => sim::main(*command, json),
        Command::Plan(args) => plan::main(&args, json),
        Command::CheckConfig(args) => check_config::main(&args, json),
        Command::Verify(args) => commands::verify::main(&args, json),
        Command::Backup(args) => commands::backup::main(&args, json),
    };
    ExitCode::from(u8::from(exit))
}

/// Says what is wrong with the command line, or the help that was asked for; the code to end with.
fn misread(error: &clap::Error) -> u8 {
    let json = std::env::args_os()
        .take_while(|word| word != "--")
        .any(|word| word == "--json");
    if json && error.use_stderr() {
        let words = error.render().to_string();
        let object = error_json("usage", Exit::Usage, words.trim_end());
        anstream::eprintln!("{object}");
        return u8::from(Exit::Usage);
    }
    // A closed stream changes nothing about the command line.
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(u8::from(Exit::Usage))
}
