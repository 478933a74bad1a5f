//! The simulator's scripts of faults and its settings: taken and written out again the same, or refused by name.
//!
//! An input that begins with `settings` and a line break is a patch of the settings, any other a script.

use bedrock_sim::{Script, Settings};
use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use smoother_core::ports::BoxFuture;

use crate::fuzz::mutate::{json, lines, raw};
use crate::fuzz::{Fault, Kind, Target, Verdict};

const SETTINGS: &[u8] = b"settings\n";

/// The target.
#[derive(Debug, Clone, Copy)]
pub struct Scripts;

impl Target for Scripts {
    fn name(&self) -> &'static str {
        "script"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        let at = if input.starts_with(SETTINGS) {
            SETTINGS.len()
        } else {
            0
        };
        let mut text = input.split_off(at);
        if !json::mutate(chance, &mut text) {
            if chance.random_bool(0.3) {
                raw::mutate(chance, &mut text, other);
            } else {
                lines::mutate(chance, &mut text, other);
            }
        }
        input.extend_from_slice(&text);
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        Box::pin(async move {
            match input.strip_prefix(SETTINGS) {
                Some(patch) => settings(patch),
                None => script(&input),
            }
        })
    }
}

fn script(input: &[u8]) -> Result<Verdict, Fault> {
    let script = match Script::read(input) {
        Ok(script) => script,
        Err(error) => return refused(&error),
    };
    let written = serde_json::to_vec(&script).map_err(|error| Fault::new(Kind::Lost, error))?;
    match Script::read(&written) {
        Ok(again) if again == script => Ok(Verdict::Accepted),
        Ok(_) => Err(Fault::new(
            Kind::Lost,
            "a script is another once it is written out and read again",
        )),
        Err(error) => Err(Fault::new(
            Kind::Lost,
            format_args!("what was written out is refused: {error}"),
        )),
    }
}

fn settings(patch: &[u8]) -> Result<Verdict, Fault> {
    let Ok(patch) = serde_json::from_slice(patch) else {
        return Ok(Verdict::Skipped);
    };
    let before = Settings::default();
    let settings = match before.patched(&patch) {
        Ok(settings) => settings,
        Err(error) => return refused(&error),
    };
    let written = serde_json::to_value(&settings).map_err(|error| Fault::new(Kind::Lost, error))?;
    match before.patched(&written) {
        Ok(again) if again == settings => Ok(Verdict::Accepted),
        other => Err(Fault::new(
            Kind::Lost,
            format_args!("settings are others once they are read again: {other:?}"),
        )),
    }
}

/// The simulator is a tool of developers, and a script holds no prompt: the parser's own words, with the line they
/// are about, are of more use than any others.
fn refused(error: &dyn std::error::Error) -> Result<Verdict, Fault> {
    if error.to_string().trim().is_empty() {
        return Err(Fault::new(Kind::Words, "refused without a word"));
    }
    Ok(Verdict::Refused)
}
