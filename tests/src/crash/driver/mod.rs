//! The driver: starts everything, strikes the server by the plan, waits for the drain, gathers what all witnesses
//! know, and has it judged.

mod gather;
mod lives;
mod process;

pub use process::under;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::audit::{Counts, Fault, audit, history};
use super::plan::{MODELS, Model, Plan};
use super::records::{Records, Told};
use lives::Smoother;
use process::{Running, free_port};

/// A fault's history is printed for so many.
const SHOWN: usize = 10;

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    pub smoother: PathBuf,
    pub simulator: PathBuf,
    /// The program that can be a client, and hold a child to its parent's life.
    pub own: PathBuf,
}

impl Programs {
    /// The programs beside `own`, unless `SMOOTHER_BIN` and `BEDROCK_SIM_BIN` name others.
    ///
    /// # Errors
    /// One of them is not built.
    pub fn beside(own: &Path) -> anyhow::Result<Self> {
        let folder = own.parent().context("a program lies in a folder")?;
        let find = |name: &str, variable: &str| {
            let path = std::env::var_os(variable).map_or_else(|| folder.join(name), PathBuf::from);
            if path.is_file() {
                return Ok(path);
            }
            bail!(
                "{} is not built: run `cargo build -p smoother -p bedrock-sim`, or set {variable}",
                path.display()
            )
        };
        Ok(Self {
            smoother: find("smoother", "SMOOTHER_BIN")?,
            simulator: find("bedrock-sim", "BEDROCK_SIM_BIN")?,
            own: own.to_owned(),
        })
    }
}

/// A run's outcome.
#[derive(Debug)]
pub struct Outcome {
    pub plan: Plan,
    pub counts: Counts,
    pub faults: Vec<Fault>,
    /// The first faults, each with the whole history of its request.
    pub histories: String,
    /// Where the records are: kept only where there are faults.
    pub folder: Option<PathBuf>,
    pub took: Duration,
}

/// Carries a run out. One that finds no fault leaves nothing behind.
///
/// Every child ends with the calling thread, so run it on a runtime of that thread alone.
///
/// # Errors
/// A process cannot be started, a client fails as a whole, or the server cannot be drained.
pub async fn run(plan: Plan, programs: &Programs, patience: Duration) -> anyhow::Result<Outcome> {
    let begun = Instant::now();
    let folder = tempfile::Builder::new().prefix("crash-").tempdir()?.keep();
    say(&format!(
        "seed {}, {} kills, {} requests, limiter {}, records in {}",
        plan.seed,
        plan.kills,
        plan.requests,
        plan.limiter(),
        folder.display()
    ));
    let records = witness(plan, programs, patience, &folder)
        .await
        .with_context(|| format!("seed {}, records in {}", plan.seed, folder.display()))?;
    let (counts, faults) = audit(&records);
    let shown = faults.iter().take(SHOWN);
    let histories = shown
        .map(|fault| history(&records, fault))
        .collect::<Vec<_>>()
        .join("\n");
    let kept = if faults.is_empty() {
        fs::remove_dir_all(&folder)?;
        None
    } else {
        save(&records, &folder.join("records.json"))?;
        Some(folder)
    };
    Ok(Outcome {
        plan,
        counts,
        faults,
        histories,
        folder: kept,
        took: begun.elapsed(),
    })
}

/// Judges saved records again.
///
/// # Errors
/// The file cannot be read.
pub fn judge(file: &Path) -> anyhow::Result<(Counts, Vec<Fault>, String)> {
    let records: Records = serde_json::from_reader(std::io::BufReader::new(fs::File::open(file)?))?;
    let (counts, faults) = audit(&records);
    let shown = faults.iter().take(SHOWN).map(|fault| history(&records, fault));
    let histories = shown.collect::<Vec<_>>().join("\n");
    Ok((counts, faults, histories))
}

async fn witness(
    plan: Plan,
    programs: &Programs,
    patience: Duration,
    folder: &Path,
) -> anyhow::Result<Records> {
    let quotas = MODELS.map(|model| (model, plan.quota(model)));
    let simulator = simulator(plan, programs, folder, &quotas).await?;
    let url = simulator.first_line()?;
    let offset = gather::offset(&url).await?;
    let port = free_port()?;
    let config = folder.join("smoother.toml");
    fs::write(&config, configuration(plan, folder, port, &url, &quotas)?)?;
    let mut smoother = Smoother::new(programs, folder, config, port)?;
    smoother.start().await?;
    let mut clients = Vec::new();
    for number in 0..plan.clients {
        clients.push(client(plan, programs, patience, folder, number, &smoother.url)?);
    }
    smoother.strike(plan).await?;
    say("the kills are over; the clients wait for what they asked for");
    smoother.attend(clients).await?;
    // What is on the disk counts, not what is in memory.
    smoother.restart_by_a_kill().await?;
    let mut rows = gather::rows(&smoother.url, patience).await?;
    smoother.stop().await?;
    gather::passed(&folder.join("data/smoother.db"), &mut rows)?;
    let upstream = gather::upstream(&url, offset).await?;
    simulator.stop().await?;
    Ok(Records {
        told: told(plan, folder)?,
        lives: smoother.lives,
        rows,
        upstream,
        quotas: quotas.map(|(model, quota)| (model.id.to_owned(), quota)).into(),
        max_concurrency: plan.max_concurrency(),
    })
}

async fn simulator(
    plan: Plan,
    programs: &Programs,
    folder: &Path,
    quotas: &[(Model, u64)],
) -> anyhow::Result<Running> {
    let models: serde_json::Map<String, serde_json::Value> = quotas
        .iter()
        .map(|(model, quota)| {
            (
                model.id.to_owned(),
                serde_json::json!({ "tokens_per_minute": quota }),
            )
        })
        .collect();
    let settings = serde_json::json!({ "quota": { "limiter": plan.limiter() }, "models": models });
    let file = folder.join("simulator.json");
    fs::write(&file, settings.to_string())?;
    // Retries, lost calls and refused ones make more calls than there are requests, but never this many.
    let log = plan.requests * 4 + 100_000;
    let arguments = [
        "--json".to_owned(),
        "--port".to_owned(),
        free_port()?.to_string(),
        "--settings".to_owned(),
        file.display().to_string(),
        "--call-log".to_owned(),
        log.to_string(),
    ];
    let running = Running::start(
        programs,
        &programs.simulator,
        &arguments,
        &folder.join("simulator.log"),
    )?;
    running.until_first_line().await?;
    Ok(running)
}

/// Strict, and with short limits, so that they pass within a run.
fn configuration(
    plan: Plan,
    folder: &Path,
    port: u16,
    upstream: &str,
    quotas: &[(Model, u64)],
) -> anyhow::Result<String> {
    let mut text = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\ndata_dir = {:?}\ndurability = \"strict\"\n\
         sync_timeout_ms = 10000\ndisconnect_grace_ms = 5000\ndrain_timeout_ms = 20000\n",
        folder.join("data")
    );
    for (model, quota) in quotas {
        write!(
            text,
            "\n[lanes.{}]\nmodels = [\"{}\"]\nregion = \"us-east-1\"\nendpoint = \"{upstream}\"\n\
             tokens_per_minute = {quota}\nmax_concurrency = {}\n",
            model.lane,
            model.id,
            plan.max_concurrency()
        )?;
    }
    Ok(text)
}

fn client(
    plan: Plan,
    programs: &Programs,
    patience: Duration,
    folder: &Path,
    number: u64,
    url: &str,
) -> anyhow::Result<Running> {
    let arguments = [
        "client".to_owned(),
        format!("--seed={}", plan.seed),
        format!("--kills={}", plan.kills),
        format!("--requests={}", plan.requests),
        format!("--clients={}", plan.clients),
        format!("--number={number}"),
        format!("--url={url}"),
        format!("--told={}", told_file(folder, number).display()),
        format!("--patience-s={}", patience.as_secs()),
    ];
    let log = folder.join(format!("client-{number}.log"));
    Running::start(programs, &programs.own, &arguments, &log)
}

fn told_file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("told-{number}.jsonl"))
}

fn told(plan: Plan, folder: &Path) -> anyhow::Result<Vec<Told>> {
    let mut all = Vec::new();
    for number in 0..plan.clients {
        let text = fs::read_to_string(told_file(folder, number))?;
        for line in text.lines() {
            all.push(serde_json::from_str(line).with_context(|| format!("client {number}: {line}"))?);
        }
    }
    Ok(all)
}

fn save(records: &Records, path: &Path) -> anyhow::Result<()> {
    let mut file = BufWriter::new(fs::File::create(path)?);
    serde_json::to_writer(&mut file, records)?;
    Ok(file.flush()?)
}

/// Tells whoever watches; a closed stderr is no reason to stop.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "crash: {words}");
}
