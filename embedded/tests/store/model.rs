//! The store against a map in memory that applies the lifecycle: any writes, begun without waiting, any
//! restarts between them.

use crate::fixture::*;
use proptest::prelude::*;
use smoother_core::call::CallEnding;
use smoother_core::lifecycle::{Change, apply};
use smoother_core::ports::{ChangeError, Outbox, PayloadRef, Store};
use smoother_core::{Call, CallNo, HopCause, Request, RequestId};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Insert(u64),
    Change(u64, Change),
    End(u64, u32, u64, Option<Change>),
    Restart,
}

fn change() -> impl Strategy<Value = Change> {
    let call = 1..4u32;
    prop_oneof![
        4 => call.clone().prop_map(release),
        4 => call.clone().prop_map(claim),
        1 => call.clone().prop_map(requeue),
        1 => call.clone().prop_map(|call| Change::Lapse { call: CallNo::new(call), at: at(30_000) }),
        1 => call.prop_map(|call| Change::Divert { call: Some(CallNo::new(call)), cause: HopCause::BreakerOpen, at: at(300) }),
        1 => Just(Change::Cancel { at: at(400) }),
        1 => Just(Change::Expire { at: at(400) }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..6u64;
    prop_oneof![
        4 => which.clone().prop_map(Step::Insert),
        8 => (which.clone(), change()).prop_map(|(n, change)| Step::Change(n, change)),
        4 => (which, 1..4u32, 0..100u64, any::<bool>()).prop_map(|(n, call, charged, completes)| {
            let change = if completes { complete(call) } else { requeue(call) };
            Step::End(n, call, charged, Some(change))
        }),
        1 => Just(Step::Restart),
    ]
}

/// What the store should hold.
#[derive(Debug, Default)]
struct Model {
    rows: BTreeMap<RequestId, Request>,
    calls: BTreeMap<(RequestId, CallNo), Call>,
    ended: Vec<RequestId>,
}

impl Model {
    fn insert(&mut self, n: u64) -> bool {
        self.rows
            .insert(id(n), falling_back(n))
            .map(|known| self.rows.insert(id(n), known))
            .is_none()
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
            self.ended.push(id);
        }
        self.rows.insert(id, next.clone());
        Ok(next)
    }

    fn end(
        &mut self,
        id: RequestId,
        call: u32,
        charged: u64,
        change: Option<&Change>,
    ) -> Result<Request, ChangeError> {
        if let Some(known) = self.calls.get_mut(&(id, CallNo::new(call))) {
            *known = known
                .clone()
                .settled(settlement(call, CallEnding::Failed, charged));
        }
        match change {
            Some(change) => self.change(id, change),
            None => self.rows.get(&id).cloned().ok_or(ChangeError::NotFound(id)),
        }
    }
}

async fn run(steps: Vec<Step>) {
    let mut f = Fixture::new();
    let mut model = Model::default();
    let mut answers = Vec::new();
    for step in steps {
        match step {
            Step::Insert(n) => {
                let fresh = model.insert(n);
                let pending = f.store.insert(new(&falling_back(n)));
                answers.push(tokio::spawn(async move {
                    let outcome = pending.await.unwrap();
                    assert_eq!(matches!(outcome, smoother_core::ports::Inserted::Fresh), fresh);
                }));
            }
            Step::Change(n, change) => {
                let expected = model.change(id(n), &change);
                let pending = f.store.change(id(n), change);
                answers.push(tokio::spawn(async move { assert_eq!(pending.await, expected) }));
            }
            Step::End(n, call, charged, change) => {
                let expected = model.end(id(n), call, charged, change.as_ref());
                let result = change.as_ref().map(|_| PayloadRef::Inline("answer".into()));
                let settled = settlement(call, CallEnding::Failed, charged);
                let pending = f.store.end(id(n), settled, change, result);
                answers.push(tokio::spawn(async move {
                    assert_eq!(pending.await.unwrap().request, expected);
                }));
            }
            Step::Restart => f = f.reopened(),
        }
    }
    for answer in answers {
        answer.await.unwrap();
    }
    check(&f, &model).await;
    check(&f.crashed(), &model).await;
}

async fn check(f: &Fixture, model: &Model) {
    for n in 0..6 {
        let id = id(n);
        assert_eq!(f.store.get(id).await.unwrap().as_ref(), model.rows.get(&id));
        let calls: Vec<_> = model
            .calls
            .values()
            .filter(|c| c.request == id)
            .cloned()
            .collect();
        assert_eq!(f.store.calls(id).await.unwrap(), calls);
    }
    if !model.ended.is_empty() {
        let (mut after, mut told) = (0, Vec::new());
        while told.len() < model.ended.len() {
            for entry in f.store.next(after, 100).await.unwrap() {
                after = entry.seq;
                told.push(entry.request.id);
            }
        }
        assert_eq!(told, model.ended);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_lifecycle_says(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
