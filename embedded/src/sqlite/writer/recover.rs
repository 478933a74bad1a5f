//! What a lane needs after a restart.

use super::applied::Applied;
use super::load::{load_call, load_request};
use super::op::{Reply, Urgency};
use super::{Writer, bulk};
use crate::sqlite::failure::of_sqlite;
use crate::sqlite::queries::all;
use crate::sqlite::rows::{self, signed};
use rusqlite::OptionalExtension;
use rusqlite::types::Value;
use smoother_core::call::{CallEnding, Settlement};
use smoother_core::lifecycle::after_restart;
use smoother_core::ports::{ChangeError, DayCount, LaneMemory, Recovered, StoreError};
use smoother_core::{Call, LaneId, Request, Timestamp, Tokens};

impl Writer {
    pub(super) fn recover(
        &mut self,
        applied: &mut Applied,
        lane: &LaneId,
        since: Timestamp,
        reply: Reply<Recovered>,
    ) {
        // The queries below read the database, so it must hold everything.
        self.commit_own(applied);
        let outcome = self.recovered(applied, lane, since);
        applied.batch.note(Urgency::Now);
        applied.batch.answer(reply, outcome);
    }

    fn recovered(
        &self,
        applied: &mut Applied,
        lane: &LaneId,
        since: Timestamp,
    ) -> Result<Recovered, StoreError> {
        let calls = self.lose_calls(applied, lane, since)?;
        let sql = "SELECT v, sum, data FROM requests INDEXED BY requests_open
                   WHERE lane = ?1 AND open = 1 ORDER BY place";
        let open = bulk::requests(&self.conn, sql, vec![name(lane)])?;
        let mut waiting = Vec::with_capacity(open.len());
        for request in open {
            if let Some(request) = self.requeued(applied, request)? {
                waiting.push(request);
            }
        }
        Ok(Recovered {
            waiting,
            calls,
            day: self.day(lane)?,
            memory: self.memory(lane)?,
        })
    }

    /// The lane's calls that still count; those nobody can vouch for are settled at what was reserved.
    fn lose_calls(
        &self,
        applied: &mut Applied,
        lane: &LaneId,
        since: Timestamp,
    ) -> Result<Vec<Call>, StoreError> {
        let sql = "SELECT v, sum, data FROM calls WHERE lane = ?1 AND settled = ?2 AND charged_at >= ?3
                   ORDER BY charged_at";
        let open = [name(lane), Value::from(0), Value::from(0)];
        let lost = all(&self.conn, sql, open, |row| rows::call(row, 0))?;
        let settled = [name(lane), Value::from(1), Value::from(signed(since.as_millis()))];
        let mut calls = all(&self.conn, sql, settled, |row| rows::call(row, 0))?;
        let now = self.clock.now();
        for call in lost {
            let settlement = Settlement {
                call: call.number,
                ending: CallEnding::Indeterminate,
                charged: call.reserved,
                usage: None,
                throttle: None,
                error: None,
                upstream_request_id: None,
                at: now,
            };
            load_call(&self.conn, applied, call.request, call.number)?;
            match applied.settle(call.request, settlement.clone()) {
                Ok(_) => calls.push(call.settled(settlement)),
                Err(ChangeError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::Damaged(format!("a call has no request: {error}"))),
            }
        }
        calls.sort_by_key(|call| call.charged_at);
        Ok(calls)
    }

    /// The request as it waits now, or `None` if it has ended by its policy.
    fn requeued(&self, applied: &mut Applied, request: Request) -> Result<Option<Request>, StoreError> {
        let Some(change) = after_restart(&request, self.clock.now()) else {
            return Ok(Some(request));
        };
        load_request(&self.conn, applied, request.id)?;
        match applied.change_row(request.id, &change) {
            Ok(request) => Ok((!request.state.is_terminal()).then_some(request)),
            Err(ChangeError::Store(error)) => Err(error),
            Err(error) => Err(StoreError::Damaged(format!(
                "{} cannot be recovered: {error}",
                request.id
            ))),
        }
    }

    fn memory(&self, lane: &LaneId) -> Result<LaneMemory, StoreError> {
        let sql = "SELECT v, sum, data FROM memories WHERE lane = ?1";
        let found = all(&self.conn, sql, [name(lane)], |row| {
            rows::value(row, 0, "memory of a lane")
        })?;
        Ok(found.into_iter().next().unwrap_or_default())
    }

    fn day(&self, lane: &LaneId) -> Result<Option<DayCount>, StoreError> {
        self.conn
            .query_row(
                "SELECT day, tokens FROM lanes WHERE name = ?1",
                [lane.as_str()],
                |row| {
                    Ok(DayCount {
                        day: row.get::<_, i64>(0)?.unsigned_abs(),
                        tokens: Tokens::new(row.get::<_, i64>(1)?.unsigned_abs()),
                    })
                },
            )
            .optional()
            .map_err(|error| of_sqlite(&error))
    }
}

fn name(lane: &LaneId) -> Value {
    Value::from(lane.as_str().to_owned())
}
