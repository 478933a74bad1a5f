//! The page that the figures are published on.

mod plot;
mod resident;

pub use resident::resident_bytes;

use super::lane::{Decision, TENANTS};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// Everything that was measured.
pub struct Page {
    pub decisions: Vec<(usize, Vec<(Decision, Quantiles)>)>,
    pub start: Duration,
    pub weight: Option<u64>,
}

/// Of single decisions.
#[derive(Debug, Clone, Copy)]
pub struct Quantiles {
    pub p50: Duration,
    pub p99: Duration,
    pub p999: Duration,
}

impl Quantiles {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |thousandths: usize| times[(times.len() * thousandths).div_ceil(1000).max(1) - 1];
        Self {
            p50: at(500),
            p99: at(990),
            p999: at(999),
        }
    }
}

impl Page {
    pub fn table(&self) -> String {
        let mut text =
            "| waiting | decision | p50, µs | p99, µs | p99.9, µs |\n|---:|---|---:|---:|---:|\n".to_owned();
        for (size, decisions) in &self.decisions {
            for (decision, took) in decisions {
                let [p50, p99, p999] = [took.p50, took.p99, took.p999].map(micros);
                let name = decision.name();
                let _ = writeln!(text, "| {size} | {name} | {p50:.1} | {p99:.1} | {p999:.1} |");
            }
        }
        text
    }

    /// Writes the page, and its picture into the folder of its name beside it.
    pub fn write(&self, path: &Path) {
        let pictures = path.with_extension("");
        std::fs::create_dir_all(&pictures).expect("a folder for the picture");
        std::fs::write(pictures.join("decisions.svg"), plot::decisions(&self.decisions))
            .expect("the picture");
        std::fs::write(path, self.text()).expect("the page");
        println!("wrote {}", path.display());
    }

    fn text(&self) -> String {
        let waiting = self.decisions.last().map_or(0, |(size, _)| *size);
        let weight = self
            .weight
            .map_or("not measured here".to_owned(), |bytes| format!("{bytes} bytes"));
        format!(
            "# What a decision costs\n\n\
             Written by `make bench-core` ({} {}, one core of it). One lane in memory: a thousand calls run, all other \
             requests wait, in three bands and of up to {TENANTS} tenants, a quarter with deadlines. Each call that ends \
             is settled and lets the next request go in the same step, as it does in the server. Times are of single \
             steps of `smoother_core::scheduler::Scheduler`, clock reading included; how a step is stored and told is \
             not in them ([benchmarks.md](benchmarks.md) measures the server).\n\n{}\n\
             ![p99 by how many wait](scheduler/decisions.svg)\n\n\
             - **Start** with {waiting} waiting, once they are read: {:.2} s until the first release.\n\
             - **Memory** of a waiting request, its id and all indexes included: {weight} (resident, that start).\n",
            std::env::consts::ARCH,
            std::env::consts::OS,
            self.table(),
            self.start.as_secs_f64(),
        )
    }
}

pub fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}
