//! The server's first lines: where it listens, what it is in front of, and a first call to try.

use smoother_core::config::{Config, LaneConfig};
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

/// What is printed once the server takes calls.
pub(crate) struct Banner<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) config: &'a Config,
    /// Where the bundled simulator listens, if it was started.
    pub(crate) simulator: Option<SocketAddr>,
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let url = format!("http://{}", self.address);
        writeln!(f, "Bedrock Smoother is listening on {url}")?;
        match self.simulator {
            Some(at) => writeln!(
                f,
                "No lane is configured: a bundled Bedrock simulator answers, on http://{at}. Nothing reaches AWS.\n\
                 For the real thing name a lane in smoother.toml (see README.md) and give --config."
            )?,
            None => writeln!(f, "In front of {} lane(s):", self.config.lanes.len())?,
        }
        for lane in self.config.lanes.values() {
            writeln!(f, "  {}", lane_line(lane))?;
        }
        writeln!(
            f,
            "Data: {}   stop: Ctrl-C or SIGTERM\n",
            self.config.server.data_dir
        )?;
        let Some(model) = self.config.lanes.values().find_map(|lane| lane.models.first()) else {
            return Ok(());
        };
        let region = self
            .config
            .lanes
            .values()
            .next()
            .map_or("us-east-1", |lane| lane.region.as_str());
        writeln!(f, "A first call:")?;
        writeln!(
            f,
            "  curl -s '{url}/model/{model}/converse' -H 'content-type: application/json' \\"
        )?;
        writeln!(
            f,
            "    -d '{{\"messages\":[{{\"role\":\"user\",\"content\":[{{\"text\":\"Say hello.\"}}]}}]}}'"
        )?;
        writeln!(
            f,
            "With boto3 only the endpoint changes (it wants some credentials; any will do here):"
        )?;
        writeln!(
            f,
            "  boto3.client(\"bedrock-runtime\", region_name=\"{region}\", endpoint_url=\"{url}\")"
        )
    }
}

fn lane_line(lane: &LaneConfig) -> String {
    let endpoint = lane.endpoint.as_deref().unwrap_or("Amazon Bedrock");
    format!(
        "{}: {} at {}, {} at once, {} ({endpoint})",
        lane.id,
        lane.models
            .iter()
            .map(|model| model.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        lane.tokens_per_minute,
        lane.max_concurrency,
        lane.region,
    )
}
