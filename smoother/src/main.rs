//! The `smoother` command: parses, dispatches, and ends with the code that `--help` lists.

use clap::Parser;
use smoother::cli::{Cli, Command};
use smoother::{check_config, commands, serve, sim};
use std::process::ExitCode;

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
