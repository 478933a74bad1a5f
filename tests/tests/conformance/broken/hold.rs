//! What holders keep, with one thing wrong, and the cases made for it.

use super::{assert_bites, failed};
use crate::memory::hold_stand;
use smoother_core::hold::{Epoch, Lease};
use smoother_core::ports::{
    Backlogged, BoxFuture, Counted, Heads, Held, Hold, HoldError, Pending, Store, StoreError, Through,
};
use smoother_core::scheduler::{LaneReport, LaneSnapshot, TenantsSnapshot};
use smoother_core::{Call, LaneId, Priority, RequestId, TenantId, Timestamp};
use smoother_tests::conformance::hold::{self, Stand};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// A page begins behind as many as were read before, whatever has gone since.
    CountsWhatItRead,
    /// A page begins behind everybody who was due when the last one was.
    PassesThoseOfOneMoment,
    /// Who has been in the registry is not entered again.
    RegistersOnce,
    /// The calls of a request are not read.
    ForgetsItsCalls,
}

/// A hold with a fault.
struct Broken {
    hold: Arc<dyn Hold>,
    fault: Fault,
    forgotten: Mutex<BTreeSet<(Priority, TenantId)>>,
}

impl Broken {
    async fn everybody(&self, lane: &LaneId, priority: Priority, tenant: &TenantId) -> Heads {
        let all = self.hold.heads(lane, priority, tenant, None, 1_000).await;
        all.unwrap()
    }

    fn page(&self, all: &Heads, after: Option<&str>, limit: usize) -> Heads {
        let after: u64 = after.map_or(0, |after| after.parse().unwrap());
        let place = |(read, one): (usize, &smoother_core::scheduler::Waiting)| match self.fault {
            Fault::CountsWhatItRead => read as u64 + 1,
            _ => one.deadline.unwrap_or(one.arrived_at).as_millis(),
        };
        let places: Vec<u64> = all.waiting.iter().enumerate().map(place).collect();
        let behind = places.iter().position(|at| *at > after).unwrap_or(places.len());
        let end = (behind + limit).min(places.len());
        Heads {
            waiting: all.waiting[behind..end].to_vec(),
            next: (end < places.len()).then(|| places[end - 1].to_string()),
        }
    }
}

impl Hold for Broken {
    fn lease(&self, lane: &LaneId) -> BoxFuture<'_, Result<Option<Lease>, StoreError>> {
        self.hold.lease(lane)
    }

    fn take(&self, lane: &LaneId, lease: Lease, over: Option<Lease>) -> Pending<Result<bool, StoreError>> {
        self.hold.take(lane, lease, over)
    }

    fn renew(&self, lane: &LaneId, lease: Lease) -> Pending<Result<(), HoldError>> {
        self.hold.renew(lane, lease)
    }

    fn load(&self, lane: &LaneId, epoch: Epoch) -> BoxFuture<'_, Result<Held, HoldError>> {
        self.hold.load(lane, epoch)
    }

    fn write_ledger(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        ledger: LaneSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        self.hold.write_ledger(lane, epoch, ledger)
    }

    fn write_tenants(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        tenants: TenantsSnapshot,
    ) -> Pending<Result<(), HoldError>> {
        self.hold.write_tenants(lane, epoch, tenants)
    }

    fn write_report(
        &self,
        lane: &LaneId,
        epoch: Epoch,
        report: LaneReport,
    ) -> Pending<Result<(), HoldError>> {
        self.hold.write_report(lane, epoch, report)
    }

    fn heads(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        if !matches!(
            self.fault,
            Fault::CountsWhatItRead | Fault::PassesThoseOfOneMoment
        ) {
            return self.hold.heads(lane, priority, tenant, after, limit);
        }
        let (lane, tenant) = (lane.clone(), tenant.clone());
        Box::pin(async move {
            let all = self.everybody(&lane, priority, &tenant).await;
            Ok(self.page(&all, after.as_deref(), limit))
        })
    }

    fn count(
        &self,
        lane: &LaneId,
        priority: Priority,
        tenant: &TenantId,
    ) -> BoxFuture<'_, Result<Counted, StoreError>> {
        self.hold.count(lane, priority, tenant)
    }

    fn due(
        &self,
        lane: &LaneId,
        until: Timestamp,
        after: Option<String>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Heads, StoreError>> {
        if self.fault != Fault::CountsWhatItRead {
            return self.hold.due(lane, until, after, limit);
        }
        let lane = lane.clone();
        Box::pin(async move {
            let all = self.hold.due(&lane, until, None, 1_000).await?;
            Ok(self.page(&all, after.as_deref(), limit))
        })
    }

    fn backlog(&self, lane: &LaneId) -> BoxFuture<'_, Result<Vec<Backlogged>, StoreError>> {
        let entries = self.hold.backlog(lane);
        Box::pin(async move {
            let mut entries = entries.await?;
            let forgotten = self.forgotten.lock().unwrap();
            entries.retain(|entry| !forgotten.contains(&(entry.priority, entry.tenant.clone())));
            Ok(entries)
        })
    }

    fn forget_backlog(&self, lane: &LaneId, entry: Backlogged) -> Pending<Result<(), StoreError>> {
        if self.fault == Fault::RegistersOnce {
            let of = (entry.priority, entry.tenant.clone());
            self.forgotten.lock().unwrap().insert(of);
        }
        self.hold.forget_backlog(lane, entry)
    }
}

/// A store that knows of no calls.
struct WithoutCalls(Arc<dyn Store>);

impl Through for WithoutCalls {
    fn behind(&self) -> &dyn Store {
        self.0.as_ref()
    }

    fn calls(&self, _: RequestId) -> BoxFuture<'_, Result<Vec<Call>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn broken(fault: Fault) -> Stand {
    let stand = hold_stand(0, Duration::ZERO);
    let hold = Broken {
        hold: Arc::clone(&stand.hold),
        fault,
        forgotten: Mutex::default(),
    };
    let other = Arc::clone(&stand.other);
    Stand {
        hold: Arc::new(hold),
        other: if fault == Fault::ForgetsItsCalls {
            Arc::new(WithoutCalls(other))
        } else {
            other
        },
        ..stand
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_holder_could_not_go_on_by_fails_the_cases_made_for_it() {
    for (fault, made_for_it) in [
        (Fault::CountsWhatItRead, "a_reading_goes_on_behind_what_has_gone"),
        (
            Fault::CountsWhatItRead,
            "a_reading_of_those_whose_time_comes_goes_on_later",
        ),
        (
            Fault::PassesThoseOfOneMoment,
            "all_who_are_due_at_one_moment_are_read",
        ),
        (
            Fault::RegistersOnce,
            "whoever_sends_a_request_back_into_line_registers_it",
        ),
        (Fault::ForgetsItsCalls, "a_call_under_way_is_found_open"),
    ] {
        let failed = failed(hold::recovery::CASES, || broken(fault)).await;
        assert_bites(&fault, &failed, made_for_it, hold::recovery::CASES.len());
    }
}
