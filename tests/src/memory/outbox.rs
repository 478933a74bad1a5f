//! The port `Outbox`.

use super::fault::Touched;
use super::store::MemoryStore;
use smoother_core::ports::{BoxFuture, Outbox, OutboxEntry, Pending, StoreError};

impl Outbox for MemoryStore {
    fn next(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StoreError>> {
        Box::pin(async move {
            let bell = &self.0.world.0.bell;
            loop {
                // Listening comes first, so that an entry between the look and the wait is not missed.
                let mut rung = std::pin::pin!(bell.notified());
                rung.as_mut().enable();
                let look = self
                    .0
                    .read(Touched::Next, None, |tables| Ok(tables.entries(after, limit)));
                let entries = look.await?;
                if !entries.is_empty() {
                    return Ok(entries);
                }
                rung.await;
            }
        })
    }

    fn told(&self, seq: u64) -> Pending<Result<(), StoreError>> {
        self.0.write(Touched::Told, None, move |tables, _| {
            tables.told(seq);
            Ok(())
        })
    }
}
