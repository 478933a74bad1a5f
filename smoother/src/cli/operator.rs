//! What an operator types: dead letters, and a lane's breaker.

use clap::{Args, Subcommand};
use smoother_core::RequestId;
use smoother_core::model::ErrorFilter;

/// `smoother dlq`
#[derive(Debug, Subcommand)]
pub enum DlqCommand {
    /// Print the dead letters, newest first
    List(DlqListArgs),
    /// Print why a dead letter failed, its calls and all it has been through
    Show(DlqShowArgs),
    /// Send dead letters on their way again: each under its own id, its tries anew, no deadline any more
    Redrive(DlqActArgs),
    /// Take dead letters off the list; they stay FAILED until their retention ends
    Drop(DlqActArgs),
}

/// Which dead letters.
#[derive(Debug, Clone, Default, Args)]
#[group(id = "filter", multiple = true)]
pub struct DlqFilter {
    /// Those of this lane
    #[arg(long, value_name = "LANE")]
    pub lane: Option<String>,
    /// Those that failed so: internal, throttled_tokens, stalled …; none: without a call's error
    #[arg(long, value_name = "KIND", value_parser = error)]
    pub error: Option<ErrorFilter>,
    /// Those that failed then or later, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT")]
    pub after: Option<String>,
    /// Those that failed earlier
    #[arg(long, value_name = "MOMENT")]
    pub before: Option<String>,
}

/// `smoother dlq list`
#[derive(Debug, Clone, Args)]
pub struct DlqListArgs {
    /// Which.
    #[command(flatten)]
    pub filter: DlqFilter,
    /// At most so many
    #[arg(long, value_name = "LETTERS", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub limit: u16,
    /// Go on behind an earlier list, as it said; the filter stays the same
    #[arg(long, value_name = "CURSOR", allow_hyphen_values = true)]
    pub cursor: Option<String>,
}

/// `smoother dlq show`
#[derive(Debug, Clone, Copy, Args)]
pub struct DlqShowArgs {
    /// The job's id
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// Print its body, as it was submitted, and nothing else
    #[arg(long)]
    pub body: bool,
}

/// `smoother dlq redrive` and `smoother dlq drop`
#[derive(Debug, Clone, Args)]
pub struct DlqActArgs {
    /// These jobs
    #[arg(value_name = "ID", conflicts_with_all = ["filter", "all"], required_unless_present_any = ["filter", "all"])]
    pub ids: Vec<RequestId>,
    /// Those that are meant, where none is named.
    #[command(flatten)]
    pub filter: DlqFilter,
    /// All there are; asks on a terminal
    #[arg(long, conflicts_with = "filter")]
    pub all: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// `smoother lane`
#[derive(Debug, Subcommand)]
pub enum LaneCommand {
    /// Hold the lane's circuit breaker open: no call goes, requests wait or fall back
    Open(LaneArgs),
    /// Hold it closed: calls go whatever they meet
    Close(LaneArgs),
    /// Give it back to its own judgement
    Auto(LaneArgs),
}

/// A command about one lane.
#[derive(Debug, Clone, Args)]
pub struct LaneArgs {
    /// The lane's name
    #[arg(value_name = "LANE")]
    pub lane: String,
}

fn error(word: &str) -> Result<ErrorFilter, String> {
    ErrorFilter::parse(word).map_err(|error| error.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::cli::Cli;
    use clap::Parser;

    const ID: &str = "0190163d-8694-739b-aea5-966c26f8ad90";

    #[test]
    fn which_letters_are_meant_is_said_in_one_way() {
        for (words, good) in [
            ("dlq redrive ID", true),
            ("dlq redrive ID ID", true),
            ("dlq redrive --lane a --error cut --yes", true),
            ("dlq drop --all", true),
            ("dlq list", true),
            ("dlq list --after 2026-01-01T00:00:00Z --limit 5", true),
            ("dlq list --lane a --cursor -abc", true),
            ("dlq redrive", false),
            ("dlq drop", false),
            ("dlq drop --yes", false),
            ("dlq redrive ID --lane a", false),
            ("dlq redrive ID --all", false),
            ("dlq redrive --all --lane a", false),
            ("dlq list --error oops", false),
            ("dlq list ID", false),
            ("lane open", false),
            ("lane ajar a", false),
            ("lane auto a", true),
        ] {
            let line = format!("smoother {}", words.replace("ID", ID));
            let parsed = Cli::try_parse_from(line.split_whitespace());
            assert_eq!(parsed.is_ok(), good, "{line}");
        }
    }
}
