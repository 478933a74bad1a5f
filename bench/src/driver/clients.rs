//! Client processes: started, kept at the line until all are ready, and heard.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::plan::{Call, Pace, Plan, Results};
use crate::process::aws_environment;

#[derive(Debug)]
struct Client {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// Shares `calls` out over `processes` clients in turn, starts them all at one moment, and puts what they
/// saw together. What is not answered `until` after that moment is given up.
///
/// # Errors
/// A client cannot be started, breaks the protocol, or fails as a whole.
pub async fn run(
    command: &[String],
    processes: usize,
    url: &str,
    pace: Pace,
    until: Option<Duration>,
    calls: Vec<Call>,
) -> anyhow::Result<Results> {
    let mut clients = Vec::with_capacity(processes);
    for _ in 0..processes {
        clients.push(Client::start(command)?);
    }
    let mut shares: Vec<Vec<Call>> = vec![Vec::new(); processes];
    for (number, call) in calls.into_iter().enumerate() {
        shares[number % processes].push(call);
    }
    for (client, calls) in clients.iter_mut().zip(shares) {
        client.ready().await?;
        client
            .send(&serde_json::to_string(&Plan {
                url: url.to_owned(),
                pace,
                until_us: until.map(|until| u64::try_from(until.as_micros()).unwrap_or(u64::MAX)),
                calls,
            })?)
            .await?;
    }
    for client in &mut clients {
        client.ready().await?;
    }
    for client in &mut clients {
        client.send("go").await?;
    }
    let mut all = Results::default();
    for client in clients {
        let results = client.results().await?;
        all.elapsed_us = all.elapsed_us.max(results.elapsed_us);
        all.outcomes.extend(results.outcomes);
        all.cpu_us += results.cpu_us;
        all.peak_bytes += results.peak_bytes;
    }
    Ok(all)
}

impl Client {
    fn start(command: &[String]) -> anyhow::Result<Self> {
        let (program, arguments) = command.split_first().context("a client's command is empty")?;
        let mut child = Command::new(program)
            .args(arguments)
            .envs(aws_environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the client {program}"))?;
        let input = child.stdin.take().context("a child without stdin")?;
        let output = child.stdout.take().context("a child without stdout")?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        self.output
            .next_line()
            .await?
            .context("a client ended before it was done; its stderr says why")
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        match self.line().await?.as_str() {
            "ready" => Ok(()),
            other => bail!("a client said {other:?} instead of ready"),
        }
    }

    async fn send(&mut self, line: &str) -> anyhow::Result<()> {
        self.input.write_all(line.as_bytes()).await?;
        self.input.write_all(b"\n").await?;
        Ok(self.input.flush().await?)
    }

    async fn results(mut self) -> anyhow::Result<Results> {
        let line = self.line().await?;
        let status = self.child.wait().await?;
        if !status.success() {
            bail!("a client ended with {status}");
        }
        serde_json::from_str(&line).context("a client's results are not readable")
    }
}
