//! The adapters as one part of a process sees them: over memory, with the part's life, a disk that may be full,
//! messages of some kinds that get lost, and what is broken on purpose.

mod model;
mod queues;
mod spoiled;
mod store;
mod views;

pub use model::RigModel;
pub use queues::{Post, RigDispatch, RigLanes};
pub use store::RigStore;
pub use views::RigViews;

use super::broken::Broken;
use super::judge::Judge;
use super::life::Life;
use super::weather::Weather;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_embedded::Hub;
use smoother_tests::memory::World;
use std::sync::{Arc, Mutex, PoisonError};

/// Which stages an adapter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    WayIn,
    Lanes,
    Worker,
    WayOut,
}

/// What every adapter of one part knows.
#[derive(Clone)]
pub struct Rig {
    pub part: Part,
    pub life: Life,
    pub world: World,
    pub judge: Judge,
    pub hub: Arc<Hub>,
    pub post: Post,
    pub mischief: Mischief,
}

/// What goes wrong above the adapters in memory. Clones share their chance.
#[derive(Clone)]
pub struct Mischief {
    pub broken: Option<Broken>,
    shared: Arc<Mutex<(Weather, StdRng)>>,
}

impl Mischief {
    pub fn new(weather: Weather, broken: Option<Broken>, seed: u64) -> Self {
        let chance = StdRng::seed_from_u64(seed ^ 0x0417_5c81);
        Self {
            broken,
            shared: Arc::new(Mutex::new((weather, chance))),
        }
    }

    /// Nothing goes wrong any more, but for what is broken.
    pub fn calm(&self) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).0 = Weather::default();
    }

    pub fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    /// Whether something with this chance in a thousand happens now.
    pub fn strikes(&self, chance_of: impl FnOnce(&Weather) -> u32) -> bool {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let (weather, chance) = &mut *shared;
        let most = chance_of(weather);
        most > 0 && chance.random_range(0..1_000) < most
    }
}
