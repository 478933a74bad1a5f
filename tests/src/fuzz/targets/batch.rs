//! Lines of a batch through the real command: `smoother submit FILE.jsonl` against the house on a socket.
//!
//! An input is a file of lines. Each line that is not blank has one line of its own in the output.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::value::RawValue;
use smoother_core::ports::BoxFuture;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::fuzz::house::House;
use crate::fuzz::mutate::{json, lines, raw};
use crate::fuzz::{Fault, Kind, Target, Verdict, words};

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// Mutations of a file at once: starting the command takes longer than its lines.
const AT_ONCE: usize = 12;
/// More lines say no more.
const MOST_LINES: usize = 400;

/// The target.
#[derive(Debug)]
pub struct Batches {
    smoother: PathBuf,
    url: String,
    serving: tokio::task::JoinHandle<()>,
    _house: Arc<House>,
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Batches {
    /// A fresh house behind a port of the loopback; the command is in the folder `programs`, unless `SMOOTHER_BIN`
    /// names it.
    ///
    /// # Errors
    /// The command is not built, or the house cannot be.
    pub async fn open(programs: &Path) -> anyhow::Result<Self> {
        let own = std::env::var_os("SMOOTHER_BIN").map(PathBuf::from);
        let smoother = own.unwrap_or_else(|| programs.join("smoother"));
        anyhow::ensure!(
            smoother.is_file(),
            "{} is not built: run `cargo build -p smoother`, or set SMOOTHER_BIN",
            smoother.display()
        );
        let house = Arc::new(House::build().await?);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port of the loopback")?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = house.router.clone();
        let serving = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self {
            smoother,
            url,
            serving,
            _house: house,
        })
    }
}

impl Target for Batches {
    fn name(&self) -> &'static str {
        "batch"
    }

    fn mutate(&self, chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..AT_ONCE {
            let mut all: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let at = chance.random_range(0..all.len());
            let mut line = all[at].clone();
            if !json::mutate(chance, &mut line) {
                raw::mutate(chance, &mut line, other);
            }
            if chance.random_bool(0.1) {
                lines::mutate(chance, input, other);
                continue;
            }
            // The changed line comes beside the old one: the file grows with what is left of its seeds.
            all.push(line);
            *input = all.join(&b'\n');
        }
    }

    fn feed(&self, input: Bytes) -> BoxFuture<'static, Result<Verdict, Fault>> {
        let (smoother, url) = (self.smoother.clone(), self.url.clone());
        Box::pin(async move {
            let input = first_lines(&input);
            let dir = tempfile::tempdir().map_err(unusable)?;
            let file = dir.path().join("lines.jsonl");
            std::fs::write(&file, &input).map_err(unusable)?;
            let run = Command::new(&smoother)
                .args(["--server", &url, "--patience", "5", "submit", "--model", MODEL])
                .arg(&file)
                .stdin(Stdio::null())
                .env_remove("SMOOTHER_SERVER")
                .kill_on_drop(true)
                .output();
            judge(&input, &run.await.map_err(unusable)?)
        })
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unusable(error: std::io::Error) -> Fault {
    Fault::new(Kind::Lost, format_args!("the command cannot be run: {error}"))
}

fn first_lines(input: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').take(MOST_LINES).collect();
    lines.join(&b'\n')
}

fn judge(input: &[u8], run: &Output) -> Result<Verdict, Fault> {
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    if said.contains("panicked") {
        return Err(Fault::new(Kind::Panic, said));
    }
    let code = run.status.code();
    if !matches!(code, Some(0 | 6)) {
        return Err(Fault::new(
            Kind::ServerError,
            format_args!("ended with {code:?}: {said}"),
        ));
    }
    let input = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
    let asked = input
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .count();
    let answers: Vec<&[u8]> = run
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    if answers.len() != asked {
        let what = format!("{asked} lines in, {} lines out", answers.len());
        return Err(Fault::new(Kind::Lost, what));
    }
    let mut refused = false;
    for answer in answers {
        refused |= line(input, answer)?;
    }
    if refused != (code == Some(6)) {
        return Err(Fault::new(
            Kind::Wrong,
            format_args!("ended with {code:?}, and lines refused: {refused}"),
        ));
    }
    Ok(if refused {
        Verdict::Refused
    } else {
        Verdict::Accepted
    })
}

/// Whether an answered line holds an error.
fn line(input: &[u8], answer: &[u8]) -> Result<bool, Fault> {
    let shape = |what: &str| {
        let shown: String = String::from_utf8_lossy(answer).chars().take(200).collect();
        Fault::new(Kind::Shape, format!("{what}: {shown}"))
    };
    let out: Out<'_> = serde_json::from_slice(answer).map_err(|_| shape("a line that is no record"))?;
    let Some(error) = out.error else {
        let whole = |part: Option<&RawValue>| part.is_some_and(|part| part.get().starts_with('{'));
        return if whole(out.output) && whole(out.input) {
            Ok(false)
        } else {
            Err(shape("a line that is neither answered nor refused"))
        };
    };
    if !(400..500).contains(&error.code) {
        return Err(Fault::new(
            Kind::ServerError,
            format_args!("{}: {}", error.code, error.message),
        ));
    }
    words::judge(&error.message, input)?;
    Ok(true)
}

/// A line of the output. What it repeats of the input may be nested to any depth.
#[derive(Deserialize)]
struct Out<'a> {
    #[serde(rename = "recordId")]
    _id: String,
    #[serde(borrow, rename = "modelInput")]
    input: Option<&'a RawValue>,
    #[serde(borrow, rename = "modelOutput")]
    output: Option<&'a RawValue>,
    error: Option<OutError>,
}

#[derive(Deserialize)]
struct OutError {
    #[serde(rename = "errorCode")]
    code: u16,
    #[serde(rename = "errorMessage")]
    message: String,
}
