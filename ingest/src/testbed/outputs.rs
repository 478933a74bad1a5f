use smoother_core::estimate::{Answers, Lesson, OutputKey, SharedAnswers};
use smoother_core::ports::{BoxFuture, SharedOutputs, StoreError, Taught};
use smoother_core::{Timestamp, Tokens};
use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What all processes know, in memory.
#[derive(Default)]
pub(crate) struct Known {
    keys: Mutex<BTreeMap<OutputKey, SharedAnswers>>,
    reads: AtomicUsize,
    failing: AtomicBool,
    hanging: AtomicBool,
}

impl Known {
    /// Answers of so many tokens came to another process.
    pub(crate) fn learn(&self, key: &OutputKey, count: usize, output: u64) {
        let lesson = Lesson {
            output: Tokens::new(output),
            cut_short: None,
            at: NOW,
            may_be_sized: true,
        };
        self.add(key, &vec![lesson; count]);
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.failing.store(fails, Ordering::SeqCst);
    }

    /// A read is never answered.
    pub(crate) fn hang(&self) {
        self.hanging.store(true, Ordering::SeqCst);
    }

    fn add(&self, key: &OutputKey, lessons: &[Lesson]) -> Taught {
        let mut keys = self.keys.lock().unwrap();
        let shared = keys.entry(key.clone()).or_default();
        let look_through = shared.teach(lessons);
        Taught {
            answers: shared.answers().clone(),
            are_enough: shared.are_enough(),
            look_through,
        }
    }
}

impl SharedOutputs for Known {
    fn read<'a>(
        &'a self,
        keys: &'a [OutputKey],
    ) -> BoxFuture<'a, Result<Vec<(OutputKey, Answers)>, StoreError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.hanging.load(Ordering::SeqCst) {
            return Box::pin(pending());
        }
        if self.failing.load(Ordering::SeqCst) {
            return Box::pin(ready(Err(StoreError::Failed("throttled".to_owned()))));
        }
        let known = self.keys.lock().unwrap();
        let found = keys
            .iter()
            .filter_map(|key| Some((key.clone(), known.get(key)?.answers().clone())));
        Box::pin(ready(Ok(found.collect())))
    }

    fn teach<'a>(
        &'a self,
        key: &'a OutputKey,
        lessons: &'a [Lesson],
    ) -> BoxFuture<'a, Result<Taught, StoreError>> {
        Box::pin(ready(Ok(self.add(key, lessons))))
    }
}
