//! What requests are doing, where much of it happens in other processes.
//!
//! On one machine everything that happens to a request passes through one [`Live`]. Here it may be released, called,
//! cancelled or ended by another function. So while a request has readers in this process, its row is read, and what
//! is new in it is told to them:
//!
//! | the row says | what follows |
//! |---|---|
//! | RELEASED, to be run by its caller's own function | it is handed to this process's worker, which claims and calls |
//! | another state before a terminal one | readers are told the state |
//! | RUNNING as a call that is not ours | readers are told that a call began |
//! | a terminal state | readers are told the end; what is its result, they read from the store |
//!
//! Looks come quickly at first, because most requests are released at once, and seldom later: after 30 ms, each 25 ms
//! for a second, then backing off to 250 ms. A request whose call runs here is looked at every 2 s, for a cancel: all else
//! that happens in this process goes through the [`Live`] behind, as on one machine.
//!
//! Several functions may watch one request (an SDK's second attempt beside its first). All of them hand its release to
//! their workers, and the claim lets one through.

mod pace;
mod seats;
#[cfg(test)]
mod tests;

use pace::Pace;
use seats::{Role, Seat, Seats};
use smoother_core::ports::{BoxFuture, Ended, Live, Reader, Released, Store, StoreError, Update};
use smoother_core::request::Runner;
use smoother_core::{CallNo, Request, RequestId, Rev, State};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// Reads a row, consistently.
type Look = Arc<dyn Fn(RequestId) -> BoxFuture<'static, Result<Option<Request>, StoreError>> + Send + Sync>;

/// A [`Live`] that also tells what other processes do. Clones share everything.
#[derive(Clone)]
pub struct Watching(Arc<Eyes>);

struct Eyes {
    live: Arc<dyn Live>,
    look: Look,
    /// The way to this process's own worker; `None` where it takes nothing up by itself.
    worker: Option<UnboundedSender<Released>>,
    seats: Seats,
}

impl Watching {
    /// In front of `live`. Rows are read from `store`; what this process is to run goes to `worker`.
    pub fn new(
        live: Arc<dyn Live>,
        store: Arc<dyn Store>,
        worker: Option<UnboundedSender<Released>>,
    ) -> Self {
        let look: Look = Arc::new(move |id| {
            let store = Arc::clone(&store);
            Box::pin(async move { store.get(id).await })
        });
        Self::looking(live, look, worker)
    }

    fn looking(live: Arc<dyn Live>, look: Look, worker: Option<UnboundedSender<Released>>) -> Self {
        Self(Arc::new(Eyes {
            live,
            look,
            worker,
            seats: Seats::default(),
        }))
    }

    fn sit(&self, id: RequestId, role: Role) -> Seat {
        let (seat, first) = self.0.seats.join(id, role);
        if first {
            let (eyes, watched) = (Arc::clone(&self.0), seat.watched());
            tokio::spawn(async move { Watch::new(&eyes, id).run(&watched).await });
        }
        seat
    }
}

impl Live for Watching {
    fn publish(&self, id: RequestId, update: Update) {
        if matches!(update, Update::Ended(_) | Update::NotStored(_)) {
            self.0.seats.close(id);
        }
        self.0.live.publish(id, update);
    }

    fn reopen(&self, id: RequestId, rev: Rev) {
        self.0.live.reopen(id, rev);
    }

    fn subscribe(&self, id: RequestId) -> Box<dyn Reader> {
        // First the log, then the eyes: what they see must find its reader.
        let reader = self.0.live.subscribe(id);
        let seat = self.sit(id, Role::Reader);
        Box::new(Seated { reader, _seat: seat })
    }

    fn readers(&self, id: RequestId) -> usize {
        self.0.live.readers(id)
    }

    fn abort(&self, id: RequestId) {
        self.0.live.abort(id);
    }

    fn aborted(&self, id: RequestId) -> BoxFuture<'static, ()> {
        let aborted = self.0.live.aborted(id);
        let seat = self.sit(id, Role::Runner);
        Box::pin(async move {
            let _seat = seat;
            aborted.await;
        })
    }
}

struct Seated {
    reader: Box<dyn Reader>,
    _seat: Seat,
}

impl Reader for Seated {
    fn next(&mut self) -> BoxFuture<'_, Option<Update>> {
        self.reader.next()
    }
}

/// One request being watched.
struct Watch<'a> {
    eyes: &'a Eyes,
    id: RequestId,
    pace: Pace,
    seen: Option<Rev>,
    handed: CallNo,
    called: CallNo,
}

impl<'a> Watch<'a> {
    fn new(eyes: &'a Eyes, id: RequestId) -> Self {
        Self {
            eyes,
            id,
            pace: Pace::default(),
            seen: None,
            handed: CallNo::NONE,
            called: CallNo::NONE,
        }
    }

    /// Looks until nobody is left who would hear of it, or the end has been told.
    async fn run(mut self, watched: &Arc<seats::Watched>) {
        while let Some(urgent) = self.eyes.seats.look_again(self.id, watched) {
            tokio::select! {
                () = tokio::time::sleep(self.pace.next(urgent)) => {}
                () = watched.changed() => continue,
            }
            if !self.eyes.seats.is_open(self.id, watched) {
                return;
            }
            match (self.eyes.look)(self.id).await {
                Ok(Some(row)) if self.seen.is_none_or(|seen| row.rev > seen) => {
                    self.seen = Some(row.rev);
                    if row.state.is_terminal() {
                        self.eyes.seats.close(self.id);
                        let end = Ended {
                            request: row,
                            result: None,
                        };
                        self.eyes.live.publish(self.id, Update::Ended(Arc::new(end)));
                        return;
                    }
                    self.tell(&row);
                }
                // Not stored yet, or nothing new.
                Ok(_) => {}
                Err(error) => tracing::warn!(request = %self.id, %error, "a watched row could not be read"),
            }
        }
    }

    fn tell(&mut self, row: &Request) {
        if row.state == State::Released && self.is_ours(row) {
            if self.handed < row.call {
                self.hand_over(row);
            }
            return;
        }
        // What this process's worker runs, it tells itself.
        if self.handed == row.call && row.state == State::Running {
            return;
        }
        if row.state == State::Running && self.called < row.call {
            self.called = row.call;
            self.eyes.live.publish(self.id, Update::Call(row.call));
        }
        self.eyes.live.publish(self.id, Update::State(row.state));
    }

    fn is_ours(&self, row: &Request) -> bool {
        self.eyes.worker.is_some() && row.runner == Runner::Caller
    }

    fn hand_over(&mut self, row: &Request) {
        let (Some(worker), Some(start_by)) = (&self.eyes.worker, row.start_by) else {
            return;
        };
        self.handed = row.call;
        let released = Released {
            request: row.id,
            call: row.call,
            lane: row.lane.clone(),
            start_by,
        };
        if worker.send(released).is_err() {
            tracing::error!(request = %row.id, "this process's worker is gone; start_by returns the request");
        }
    }
}
