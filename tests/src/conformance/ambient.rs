//! `Clock` and `Entropy`: time that never goes back, chance that keeps its bounds.

use super::suite::cases;
use smoother_core::Millis;
use smoother_core::ports::{Clock, Entropy};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// A clock and a source of chance.
#[derive(Clone)]
pub struct Ambient {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The chance.
    pub entropy: Arc<dyn Entropy>,
}

cases! { Ambient;
    time_never_goes_back,
    time_passes,
    chance_keeps_its_bounds_and_reaches_them,
    ten_bytes_do_not_repeat,
}

async fn time_never_goes_back(ambient: Ambient) {
    let clock = &ambient.clock;
    let (mut now, mut elapsed) = (clock.now(), clock.elapsed());
    for _ in 0..1_000 {
        let (later, further) = (clock.now(), clock.elapsed());
        assert!(later >= now && further >= elapsed);
        (now, elapsed) = (later, further);
        tokio::task::yield_now().await;
    }
}

async fn time_passes(ambient: Ambient) {
    let (before, elapsed) = (ambient.clock.now(), ambient.clock.elapsed());
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Two clocks, each cut to whole milliseconds.
    assert!(ambient.clock.now().since(before) >= Millis::new(48));
    assert!(ambient.clock.elapsed() - elapsed >= Duration::from_millis(48));
}

async fn chance_keeps_its_bounds_and_reaches_them(ambient: Ambient) {
    assert_eq!(ambient.entropy.below(0), 0);
    assert_eq!(ambient.entropy.below(1), 0);
    let drawn: HashSet<u64> = (0..1_000).map(|_| ambient.entropy.below(7)).collect();
    assert_eq!(drawn, (0..7).collect());
    let halves = (0..200).map(|_| ambient.entropy.below(u64::MAX) > u64::MAX / 2);
    let upper = halves.filter(|upper| *upper).count();
    assert!((20..=180).contains(&upper), "{upper} of 200 in the upper half");
}

async fn ten_bytes_do_not_repeat(ambient: Ambient) {
    let drawn: HashSet<[u8; 10]> = (0..10_000).map(|_| ambient.entropy.bytes()).collect();
    assert_eq!(drawn.len(), 10_000);
}
