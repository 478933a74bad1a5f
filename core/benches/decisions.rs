//! What a decision costs on average, from a hundred waiting requests to a million: `cargo bench -p smoother-core --bench
//! decisions`. Criterion keeps the figures and says whether a change made them worse; its plots are in target/criterion.
#![allow(missing_docs, clippy::expect_used, clippy::cast_possible_truncation)]
#![allow(clippy::disallowed_methods, reason = "it measures")]

mod lane;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use lane::{Decision, Lane, SIZES};
use std::time::Duration;

fn decisions(criterion: &mut Criterion) {
    let mut lanes: Vec<(usize, Lane)> = SIZES.map(|size| (size, Lane::with(size))).into();
    for (place, decision) in Decision::ALL.into_iter().enumerate() {
        let mut group = criterion.benchmark_group(decision.name());
        group.warm_up_time(Duration::from_millis(500));
        for (size, lane) in &mut lanes {
            group.bench_function(BenchmarkId::from_parameter(*size), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| lane.round()[place].1).sum());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
