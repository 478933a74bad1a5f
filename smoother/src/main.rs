//! The `smoother` command: parses, dispatches, and ends with the code that `--help` lists.

use clap::Parser;
use smoother::cli::{Cli, Command};
use smoother::{check_config, commands, serve, sim};
use std::process::ExitCode;

/// A call makes and drops some hundreds of small pieces of memory on several threads; the system's allocator is
/// slower at that and gives less of it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let exit = match cli.command {
        Command::Serve(args) => serve::main(&args),
        Command::Client(command) => commands::main(command, cli.common),
        Command::Sim(command) => sim::main(*command, cli.common.json),
        Command::CheckConfig(args) => check_config::main(&args, cli.common.json),
    };
    ExitCode::from(u8::from(exit))
}
