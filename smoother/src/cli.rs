//! What can be typed: every command, its flags and their meaning.

mod operator;

pub use operator::{DlqActArgs, DlqCommand, DlqFilter, DlqListArgs, DlqShowArgs, LaneArgs, LaneCommand};

use crate::client::Target;
use bedrock_sim::cli::SimArgs;
use clap::{Args, Parser, Subcommand};
use smoother_core::{Operation, Priority, RequestId, TenantId};
use smoother_plan::cli::PlanArgs;
use std::net::SocketAddr;
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed for another reason than those below; serve: could not start, or had to stop because its store or
       a part of it failed
  2    the command line is wrong
  3    no such job, lane or file
  4    the input or the configuration is invalid, or the server refused it
  5    the server cannot be reached or is stopping, and stayed so for longer than --patience
  6    a job ended without an answer: failed, cancelled or expired; in a batch, at least one line did
  7    the job has not ended yet
  8    what is stored is damaged (verify, backup)
  130  interrupted by Ctrl-C or SIGTERM; submitted jobs go on. serve drains on either and ends with 0: it answers
       reads, refuses submissions and calls itself not ready until its running calls have ended";

const PLAN_HELP: &str = "\
A bad row ends the command with 4, and every mistake with its line; nothing is left out. Priorities, tenants, max_tokens
and deadlines that the requests do not have are assigned as the flags say, and the report tells it.

--json prints one object: workload, lane, upstream, requests, waits (by priority, then of all), tenants (by tokens, the
heaviest first), calls, deadlines, utilisation, bound, answers; times in ms, amounts in tokens. docs/plan.md has every
field, the columns of traces and the keys of mixes.

Examples:
  smoother plan calls.csv --tokens-per-minute 300000 --max-tokens 4096
  smoother plan calls.csv --config smoother.toml --lane sonnet --html plan.html
  smoother plan calls.csv --load 85 --priorities interactive=20,batch=80 --target-wait 5s --for interactive
  smoother plan --stream 'priority=\"batch\", burst=500, within=\"1min\", input=1000, output={mean=300}' \\
    --stream 'priority=\"interactive\", per_minute=30, input={p50=600,p99=3000}, output=100, max_tokens=256' \\
    --tokens-per-minute 300000";

/// Every Amazon Bedrock call through a durable queue, at the quota's pace.
#[derive(Debug, Parser)]
#[command(name = "smoother", version, after_help = EXIT_CODES, after_long_help = EXIT_CODES)]
#[command(
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Where the smoother is: its URL, or aws for the deployment in the account and Region of the environment
    /// (aws:NAME for one of another name); requests to it are signed by the environment's credentials
    #[arg(
        long,
        visible_alias = "server",
        global = true,
        value_name = "URL|aws",
        env = "SMOOTHER_SERVER",
        default_value = "http://127.0.0.1:8080",
        help_heading = "Everywhere"
    )]
    pub target: Target,
    /// Whose jobs these are, where the smoother trusts its callers' word (server.trust_tenant); elsewhere all are one
    /// tenant's
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "SMOOTHER_TENANT",
        value_parser = tenant,
        help_heading = "Everywhere"
    )]
    pub tenant: Option<TenantId>,
    /// Print JSON, for scripts; on stderr too, with an error as its last line: {"error": {"kind", "exit_code",
    /// "message"}}
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,
    /// How long a server that goes away is waited for, in seconds [default: 60; of a batch 180]
    #[arg(long, global = true, value_name = "SECONDS", help_heading = "Everywhere")]
    pub patience: Option<u64>,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the smoother on this machine; with no lane configured, with a simulator of Bedrock
    Serve(ServeArgs),
    /// Commands to a running smoother.
    #[command(flatten)]
    Client(ClientCommand),
    /// Run the Bedrock simulator alone
    Sim(Box<SimCommand>),
    /// Play a trace or a mix of requests against a quota, without a server: waits, throttles, deadlines, and the
    /// quota that would do
    #[command(after_long_help = PLAN_HELP)]
    Plan(Box<PlanArgs>),
    /// Read the configuration and report every mistake in it
    CheckConfig(CheckConfigArgs),
    /// Read everything stored and hold it against itself; no server may be running on it
    Verify(VerifyArgs),
    /// Copy everything stored, also beside a running server; to restore, start on the copy
    Backup(BackupArgs),
}

/// Commands to a running smoother.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Send a prompt, a request or a file of requests, and print the answers
    Submit(Box<SubmitArgs>),
    /// Print where a job stands
    Status(JobArgs),
    /// Follow a job to its end
    Watch(JobArgs),
    /// Print a job's result as the model sent it
    Result(ResultArgs),
    /// Call a job off
    Cancel(JobArgs),
    /// Print each quota: what is used, free, waiting and throttled
    Lanes(LanesArgs),
    /// Hold a lane's circuit breaker open or closed, or give it back to its own judgement
    #[command(subcommand)]
    Lane(LaneCommand),
    /// Dead letters: jobs that failed by no fault of their own; list, show, redrive or drop them
    #[command(subcommand)]
    Dlq(DlqCommand),
}

/// `smoother serve`
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Configuration file [default: smoother.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "SMOOTHER_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on, instead of the configured one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen)]
    pub listen: Option<SocketAddr>,
    /// Where to keep the data, instead of the configured place
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<String>,
}

/// `smoother check-config`
#[derive(Debug, Clone, Args)]
pub struct CheckConfigArgs {
    /// Configuration file [default: smoother.toml]
    #[arg(value_name = "FILE", env = "SMOOTHER_CONFIG")]
    pub file: Option<PathBuf>,
    /// The file that a server runs by: print what SIGHUP would change, or why it takes a restart
    #[arg(long, value_name = "FILE")]
    pub running: Option<PathBuf>,
}

/// `smoother verify`
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// The data directory [default: the configured one]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file [default: smoother.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "SMOOTHER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// `smoother backup`
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Where the copy goes: a directory that is new or empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The data directory [default: the configured one]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Configuration file [default: smoother.toml, if there is one]
    #[arg(long, value_name = "FILE", env = "SMOOTHER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// `smoother sim`
#[derive(Debug, Clone, Args)]
pub struct SimCommand {
    /// The simulator's own flags.
    #[command(flatten)]
    pub sim: SimArgs,
    /// Threads that serve; one serves well over 10,000 calls a second
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub threads: u16,
}

/// `smoother submit`
#[derive(Debug, Clone, Args)]
pub struct SubmitArgs {
    /// The prompt; `-` reads it from stdin; a name that ends in .jsonl is a batch file
    #[arg(value_name = "PROMPT", required_unless_present_any = ["json_body", "batch"])]
    pub prompt: Option<String>,
    /// A request body in Converse or InvokeModel form; `-` reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "batch"])]
    pub json_body: Option<PathBuf>,
    /// A file in Bedrock's batch form, {"recordId", "modelInput"} a line; `-` reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "max_tokens", "key"])]
    pub batch: Option<PathBuf>,
    /// The model of every request [default: the server's only model, or the first of its only lane]
    #[arg(long, short, value_name = "ID", env = "SMOOTHER_MODEL")]
    pub model: Option<String>,
    /// The form of the body, where it should not be told from the body itself
    #[arg(long, value_name = "OPERATION", value_parser = operation)]
    pub operation: Option<Operation>,
    /// The most tokens of a prompt's answer
    #[arg(long, value_name = "TOKENS", conflicts_with = "json_body")]
    pub max_tokens: Option<u32>,
    /// interactive, normal or batch [default: the tenant's; batch for a batch file]
    #[arg(long, short, value_name = "PRIORITY", value_parser = priority)]
    pub priority: Option<Priority>,
    /// Give up what is not answered this long after it was sent
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout_ms: Option<u64>,
    /// The same key and body again is the same job
    #[arg(long, value_name = "TEXT")]
    pub key: Option<String>,
    /// Wait for the answer and print it (the default)
    #[arg(long, overrides_with = "no_wait")]
    pub wait: bool,
    /// Print the job's id and return; of a batch, every line's
    #[arg(long, overrides_with = "wait")]
    pub no_wait: bool,
    /// Where the answer or the batch's answers go [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Lines of a batch under way at once
    #[arg(
        long, value_name = "LINES", default_value_t = 256,
        value_parser = clap::value_parser!(u16).range(1..=4096)
    )]
    pub outstanding: u16,
    /// Names this run of a batch: another name sends every line anew, the same one sends none twice
    #[arg(long, value_name = "NAME", default_value = "")]
    pub run: String,
}

/// A command about one job.
#[derive(Debug, Clone, Copy, Args)]
pub struct JobArgs {
    /// The job's id, as submit printed it
    #[arg(value_name = "ID")]
    pub id: RequestId,
}

/// `smoother result`
#[derive(Debug, Clone, Args)]
pub struct ResultArgs {
    /// The job's id, as submit printed it
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// Wait until the job has ended
    #[arg(long, short)]
    pub wait: bool,
    /// Print only the text of the answer
    #[arg(long, short, conflicts_with = "json")]
    pub text: bool,
    /// Where the result goes [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `smoother lanes`
#[derive(Debug, Clone, Args)]
pub struct LanesArgs {
    /// Only this lane
    #[arg(value_name = "LANE")]
    pub lane: Option<String>,
    /// Go on showing it, on a terminal
    #[arg(long, short)]
    pub watch: bool,
    /// How often
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub every_ms: u64,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|e| format!("{e}; give it as 127.0.0.1:8080"))?;
    if !address.ip().is_loopback() {
        return Err(
            "not a loopback address: without keys only this machine may call; use 127.0.0.1".to_owned(),
        );
    }
    Ok(address)
}

fn tenant(text: &str) -> Result<TenantId, String> {
    TenantId::new(text).map_err(|e| e.to_string())
}

fn priority(text: &str) -> Result<Priority, String> {
    Priority::parse(text).ok_or_else(|| "allowed are interactive, normal and batch".to_owned())
}

fn operation(text: &str) -> Result<Operation, String> {
    Operation::parse(text).ok_or_else(|| {
        let all = Operation::ALL.map(Operation::as_str).join(", ");
        format!("allowed are {all}")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_submission_has_one_source() {
        for bad in [
            "smoother submit",
            "smoother submit hello --json-body x.json",
            "smoother submit hello --batch x.jsonl",
            "smoother submit --json-body x.json --batch x.jsonl",
            "smoother submit --batch x.jsonl --key k",
        ] {
            assert_eq!(parse(bad).unwrap_err().exit_code(), 2, "{bad}");
        }
        for good in [
            "smoother submit hello",
            "smoother submit -",
            "smoother submit --batch - -o out.jsonl",
            "smoother submit --json-body - --no-wait --priority batch --timeout-ms 5000",
        ] {
            parse(good).unwrap();
        }
    }

    #[test]
    fn bad_values_name_what_is_allowed() {
        for (line, names) in [
            (
                "smoother submit x --priority urgent",
                "interactive, normal and batch",
            ),
            (
                "smoother submit x --operation chat",
                "invoke-with-response-stream",
            ),
            ("smoother status no-uuid", "UUID"),
            ("smoother --target ftp://x lanes", "http://127.0.0.1:8080"),
            ("smoother --target aws: lanes", "aws:NAME"),
            ("smoother lanes --every-ms 5", "100"),
        ] {
            let said = parse(line).unwrap_err().to_string();
            assert!(said.contains(names), "{line}: {said}");
        }
    }

    #[test]
    fn common_flags_stand_anywhere() {
        let cli = parse("smoother lanes --json --server http://127.0.0.1:1").unwrap();
        assert!(cli.common.json);
        assert_eq!(cli.common.target.to_string(), "http://127.0.0.1:1/");
        let cli = parse("smoother dlq list --target aws").unwrap();
        assert_eq!(cli.common.target.to_string(), "aws:bedrock-smoother");
    }

    #[test]
    fn exit_codes_are_in_the_help() {
        let help = Cli::command().render_long_help().to_string();
        for code in crate::commands::Exit::ALL {
            let line = format!("  {:<5}", u8::from(code));
            assert!(help.contains(&line), "{code:?}");
        }
    }
}
