//! Configuration files and environments: a configuration, or a list of mistakes, each with its place.
//!
//! An input is a TOML text. Lines that begin with `#env ` are variables, `#env SMOOTHER__SERVER__LISTEN=…`.

use bytes::Bytes;
use rand::rngs::StdRng;
use smoother_core::config::{Config, Source};
use smoother_core::ports::BoxFuture;

use crate::fuzz::mutate::lines;
use crate::fuzz::{Fault, Kind, Target, Verdict, words};

/// The name under which the file is loaded.
const NAME: &str = "smoother.toml";

/// A file may have a mistake in every line; they are alike.
const MOST_JUDGED: usize = 40;

/// The target.
#[derive(Debug, Clone, Copy)]
pub struct Configs;

impl Target for Configs {
    fn name(&self) -> &'static str {
        "config"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        lines::mutate(chance, input, other);
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        Box::pin(async move { load(&input) })
    }
}

fn load(input: &[u8]) -> Result<Verdict, Fault> {
    // The root reads the file as text; one that is none is refused before.
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(Verdict::Skipped);
    };
    let env: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#env ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let errors = match Config::load(Some((NAME, text)), env.clone()) {
        Ok(config) => return sound(&config),
        Err(errors) => errors,
    };
    if errors.mistakes().is_empty() {
        return Err(Fault::new(Kind::Shape, "refused without a mistake"));
    }
    let lines = text.split('\n').count();
    for mistake in errors.mistakes().iter().take(MOST_JUDGED) {
        let shown = mistake.to_string();
        if shown.contains(['\n', '\r']) {
            return Err(Fault::new(
                Kind::Shape,
                format_args!("{shown:?} is more than one line"),
            ));
        }
        match words::judge(mistake.what(), input) {
            // Where the text is no TOML, the parser's words are TOML's own.
            Err(fault) if fault.kind == Kind::Words && mistake.what().starts_with("not TOML: ") => {}
            judged => judged?,
        }
        let placed = match mistake.place() {
            Source::File { name, line } => name == NAME && (1..=lines).contains(line),
            Source::Env(name) => env.iter().any(|(known, _)| known == name),
            Source::Default => true,
        };
        if !placed {
            return Err(Fault::new(
                Kind::Shape,
                format_args!("{shown:?} is not in the input of {lines} lines"),
            ));
        }
    }
    Ok(Verdict::Refused)
}

/// What was taken can be served.
fn sound(config: &Config) -> Result<Verdict, Fault> {
    for lane in config.lanes.values() {
        if lane.models.is_empty() || lane.max_concurrency == 0 || lane.tokens_per_minute.get() == 0 {
            return Err(Fault::new(
                Kind::Wrong,
                format_args!("lane {} cannot serve anything", lane.id),
            ));
        }
    }
    Ok(Verdict::Accepted)
}
