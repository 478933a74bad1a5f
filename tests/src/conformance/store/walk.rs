//! Any writes in any order, with restarts between them, against a map that applies the lifecycle.

use super::bed::{Bed, Restart, new};
use crate::conformance::suite::cases;
use crate::conformance::words::{complete, every_change, id, request, requeue, settlement};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use smoother_core::call::{Call, CallEnding};
use smoother_core::lifecycle::apply;
use smoother_core::ports::{ChangeError, Inserted, PayloadKind, PayloadRef};
use smoother_core::{CallNo, Change, Request, RequestId};
use std::collections::{BTreeMap, BTreeSet};
use tokio::task::JoinSet;

cases! { Bed;
    any_walk_ends_where_the_lifecycle_says,
}

const REQUESTS: u64 = 6;
const STEPS: usize = 120;
const WALKS: u64 = 16;

/// What the store should hold.
#[derive(Debug, Default)]
struct Expected {
    rows: BTreeMap<RequestId, Request>,
    calls: BTreeMap<(RequestId, CallNo), Call>,
    results: BTreeMap<RequestId, String>,
    ended: BTreeSet<RequestId>,
}

impl Expected {
    fn row(&self, id: RequestId) -> Result<Request, ChangeError> {
        self.rows.get(&id).cloned().ok_or(ChangeError::NotFound(id))
    }

    fn change(&mut self, id: RequestId, change: &Change) -> Result<Request, ChangeError> {
        let row = self.rows.get(&id).ok_or(ChangeError::NotFound(id))?;
        let next = apply(row, change)?;
        if let Change::Claim { call, at } = change {
            let call = Call {
                request: id,
                number: *call,
                lane: next.lane.clone(),
                reserved: next.reserved,
                charged_at: *at,
                settlement: None,
            };
            self.calls.insert((id, call.number), call);
        }
        if next.state.is_terminal() {
            self.ended.insert(id);
        }
        self.rows.insert(id, next.clone());
        Ok(next)
    }
}

async fn any_walk_ends_where_the_lifecycle_says(bed: Bed) {
    let mut bed = bed;
    for seed in 0..WALKS {
        let mut walk = Walk {
            seed,
            chance: StdRng::seed_from_u64(seed),
            expected: Expected::default(),
            answers: JoinSet::new(),
        };
        for _ in 0..STEPS {
            match walk.chance.random_range(0..20) {
                0 => bed = walk.restart(bed).await,
                1..=5 => walk.insert(&bed),
                6..=14 => walk.change(&bed),
                _ => walk.end(&bed),
            }
            // Where order is promised a write follows another without waiting for it.
            if !bed.store.commits_in_order() {
                walk.answered().await;
            }
        }
        walk.answered().await;
        check(&bed, &walk.expected, seed).await;
    }
}

struct Walk {
    seed: u64,
    chance: StdRng,
    expected: Expected,
    answers: JoinSet<()>,
}

impl Walk {
    fn which(&mut self) -> u64 {
        self.seed * 100 + self.chance.random_range(0..REQUESTS)
    }

    /// Every write was answered as expected.
    async fn answered(&mut self) {
        while let Some(answer) = self.answers.join_next().await {
            answer.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        }
    }

    async fn restart(&mut self, bed: Bed) -> Bed {
        let clean: bool = self.chance.random();
        if !clean {
            // Only what was answered is sure to be there.
            self.answered().await;
        }
        let bed = bed
            .restarted(if clean { Restart::Clean } else { Restart::Crash })
            .await;
        self.answered().await;
        bed
    }

    fn insert(&mut self, bed: &Bed) {
        let n = self.which();
        let known = self.expected.rows.get(&id(n)).cloned();
        self.expected.rows.entry(id(n)).or_insert_with(|| request(n));
        let writing = bed.store.insert(new(&request(n)));
        self.answers.spawn(async move {
            match (writing.await.unwrap(), known) {
                (Inserted::Same(found), Some(row)) => assert_eq!(*found, row),
                (Inserted::Fresh, None) => {}
                (said, _) => panic!("{said:?}"),
            }
        });
    }

    fn change(&mut self, bed: &Bed) {
        let n = self.which();
        // Mostly what leads on, so that walks get somewhere.
        let call = self.expected.rows.get(&id(n)).map_or(1, |row| row.call.get());
        let call = call + self.chance.random_range(0..2);
        let changes = every_change(call);
        let likely = [1, 1, 1, 2, 2, 2, 5, 6];
        let which = if self.chance.random_range(0..6) == 0 {
            self.chance.random_range(0..changes.len())
        } else {
            likely[self.chance.random_range(0..likely.len())]
        };
        let change = changes[which].clone();
        let wanted = self.expected.change(id(n), &change);
        let writing = bed.store.change(id(n), change);
        self.answers
            .spawn(async move { assert_eq!(writing.await, wanted) });
    }

    fn end(&mut self, bed: &Bed) {
        let n = self.which();
        let call = self.expected.rows.get(&id(n)).map_or(1, |row| row.call.get());
        let call = call.saturating_sub(self.chance.random_range(0..2));
        let change = match self.chance.random_range(0..10) {
            0..=4 => Some(requeue(call)),
            5 | 6 => Some(complete(call)),
            7 | 8 => Some(Change::Rerun {
                call: CallNo::new(call),
            }),
            _ => None,
        };
        let settled = settlement(call, CallEnding::Failed, self.chance.random_range(0..100));
        if let Some(known) = self.expected.calls.get_mut(&(id(n), CallNo::new(call))) {
            *known = known.clone().settled(settled.clone());
        }
        let text = format!("answer of call {call}");
        let wanted = match &change {
            Some(change) => self.expected.change(id(n), change),
            None => self.expected.row(id(n)),
        };
        if wanted.is_ok() && matches!(change, Some(Change::Complete { .. })) {
            self.expected.results.insert(id(n), text.clone());
        }
        let result = PayloadRef::Inline(text.into());
        let writing = bed.store.end(id(n), settled, change, Some(result));
        self.answers
            .spawn(async move { assert_eq!(writing.await.unwrap().request, wanted) });
    }
}

async fn check(bed: &Bed, expected: &Expected, seed: u64) {
    for n in seed * 100..seed * 100 + REQUESTS {
        let id = id(n);
        assert_eq!(bed.store.get(id).await.unwrap().as_ref(), expected.rows.get(&id));
        let calls = expected.calls.values().filter(|call| call.request == id);
        assert_eq!(bed.calls(id).await, calls.cloned().collect::<Vec<_>>());
        let result = bed.payloads.fetch(id, PayloadKind::Result).await.unwrap();
        assert_eq!(
            result.map(|bytes| bytes.to_vec()),
            expected.results.get(&id).map(|text| text.clone().into_bytes())
        );
    }
    if expected.ended.is_empty() {
        return;
    }
    let entries = bed.untold(expected.ended.len()).await;
    let told: BTreeSet<_> = entries.iter().map(|entry| entry.request.id).collect();
    assert_eq!(told, expected.ended);
    let last = entries.last().expect("there are some").seq;
    bed.outbox.told(last).await.unwrap();
}
