//! `smoother-bench`: see the library.

use clap::Parser;

fn main() -> anyhow::Result<()> {
    smoother_bench::cli::Args::parse().run()
}
