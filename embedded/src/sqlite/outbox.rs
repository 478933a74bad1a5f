//! The port `Outbox`.

use super::SqliteStore;
use super::queries;
use super::tail::Found;
use super::writer::Op;
use smoother_core::ports::{BoxFuture, Outbox, OutboxEntry, Pending, StoreError};

impl SqliteStore {
    /// An end that cannot be read cannot be told, and nor can those behind it, for as long as it stands there.
    fn stop_if_damaged(&self, error: &StoreError) {
        if matches!(error, StoreError::Damaged(_)) {
            self.shared.fate.stop(error.clone());
        }
    }
}

impl Outbox for SqliteStore {
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        Box::pin(async move {
            let tail = &self.shared.tail;
            let mut fatal = self.shared.fate.watch();
            let mut searched = 0;
            loop {
                // Listening comes first, so that an entry between the look and the wait is not missed.
                let mut grown = std::pin::pin!(tail.grown());
                grown.as_mut().enable();
                match tail.look(after, limit.max(1), searched) {
                    Found::Entries(entries) => return Ok(entries),
                    Found::InDatabase(last) => {
                        let query = move |conn: &_| queries::outbox(conn, after, last, limit.max(1));
                        let entries = self.shared.readers.read(query).await;
                        let entries = entries.inspect_err(|error| self.stop_if_damaged(error))?;
                        if !entries.is_empty() {
                            return Ok(entries);
                        }
                        searched = last;
                    }
                    Found::Closed => return Err(self.shared.fate.or_closed()),
                    Found::Nothing => tokio::select! {
                        () = grown => {}
                        why = &mut fatal => return Err(why),
                    },
                }
            }
        })
    }

    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>> {
        self.begin(|reply| Op::Told { seq, reply })
    }
}
