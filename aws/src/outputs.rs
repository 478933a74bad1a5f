//! What all processes together have learned of how long answers are: an item a key.
//!
//! | attribute | |
//! |---|---|
//! | `pk`, `sk` | `O#{magnitude}#{tenant}#{model}`, `OUTPUTS`; no tenant where the model's answers are meant as a whole |
//! | `doc` | [`SharedAnswers`], its sketches of at most 2,000 answers: 1 to 8 KB |
//! | `rev` | counts the writes; each is made on condition that its predecessor is still there |
//! | `mark` | whose write it was, for whoever hears of its own as another's |
//! | `ttl` | [`KEPT`] after the last lesson |

use crate::fault::Fault;
use crate::retry::Patience;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading, Writing};
use crate::table::keys::{self, Key};
use crate::table::{Table, Written};
use smoother_core::Millis;
use smoother_core::estimate::{Answers, Lesson, OutputKey, SharedAnswers};
use smoother_core::ports::{BoxFuture, Entropy, SharedOutputs, StoreError, Taught};
use std::collections::HashMap;
use std::sync::Arc;

/// What nobody has added to for so long is forgotten.
const KEPT: Millis = Millis::from_secs(60 * 24 * 3_600);
/// Writes that may be overtaken by others' before one is given up.
const MOST_TRIES: usize = 16;

/// What is known of outputs, in the table.
#[derive(Debug, Clone)]
pub struct DynamoOutputs {
    table: Table,
}

impl DynamoOutputs {
    /// In this table.
    pub fn new(client: aws_sdk_dynamodb::Client, table: &str, chance: Arc<dyn Entropy>) -> Self {
        Self {
            table: Table::new(client, table, Patience::default(), chance),
        }
    }

    async fn add(&self, key: &OutputKey, lessons: &[Lesson]) -> Result<Taught, Fault> {
        let (place, mark) = (keys::outputs(key), self.table.mark());
        let mut found = self.table.get(&place).await?;
        for _ in 0..MOST_TRIES {
            let Kept { mut shared, rev } = found.as_ref().map_or_else(|| Ok(Kept::default()), Kept::read)?;
            let look_through = shared.teach(lessons);
            let until = shared.taught_at() + KEPT;
            let item = Writing::new(&place)
                .json("doc", &shared)?
                .number("rev", rev + 1)
                .text("mark", &mark)
                .number("ttl", until.as_millis().div_ceil(1_000))
                .done();
            let taught = || Taught {
                answers: shared.answers().clone(),
                are_enough: shared.are_enough(),
                look_through,
            };
            match self.table.put(&item, Some(&still(rev))).await? {
                Written::Done(_) => return Ok(taught()),
                // The answer to the first attempt was lost.
                Written::Unmet(Some(theirs)) if is_of(&theirs, &mark) => return Ok(taught()),
                Written::Unmet(theirs) => found = theirs,
            }
        }
        let why = format!("{key} was written by others {MOST_TRIES} times meanwhile");
        Err(Fault::Busy(why))
    }

    async fn find(&self, asked: &[OutputKey]) -> Result<Vec<(OutputKey, Answers)>, Fault> {
        let places: HashMap<Key, &OutputKey> = asked.iter().map(|key| (keys::outputs(key), key)).collect();
        let wanted: Vec<Key> = places.keys().cloned().collect();
        let items = self.table.get_many(&wanted).await?;
        let read = |item: &Item| {
            let reading = Reading::new(item)?;
            let place = Key::new(reading.text("pk")?, reading.text("sk")?);
            Ok((place, Kept::read(item)?.shared))
        };
        // One that does not read, say because a later version wrote it, is as good as none, and no matter to the others.
        let one = |item: &Item| {
            let read: Result<_, Fault> = read(item);
            let (place, shared) = read
                .inspect_err(|fault| tracing::warn!(%fault, "what was learned of outputs is left out"))
                .ok()?;
            let key = places.get(&place)?;
            Some(((*key).clone(), shared.answers().clone()))
        };
        Ok(items.iter().filter_map(one).collect())
    }
}

/// An item, read.
#[derive(Default)]
struct Kept {
    shared: SharedAnswers,
    /// 0 where there was none.
    rev: u64,
}

impl Kept {
    /// What does not read is begun anew, unless a later version wrote it: hundreds of answers will say the same.
    fn read(item: &Item) -> Result<Self, Fault> {
        let reading = Reading::new(item)?;
        let rev = reading.number("rev")?;
        let shared = reading.json("doc").unwrap_or_else(|fault| {
            tracing::error!(%fault, "what was learned of outputs does not read; it is learned anew");
            SharedAnswers::default()
        });
        Ok(Self { shared, rev })
    }
}

/// Whether the item is still that of this revision.
fn still(rev: u64) -> Expression {
    match rev {
        0 => Expression::new("attribute_not_exists(#pk)"),
        rev => Expression::new("#rev = :rev").number(":rev", rev),
    }
}

fn is_of(item: &Item, mark: &str) -> bool {
    Reading::new(item).and_then(|reading| reading.text("mark")).ok() == Some(mark)
}

impl SharedOutputs for DynamoOutputs {
    fn read<'a>(
        &'a self,
        keys: &'a [OutputKey],
    ) -> BoxFuture<'a, Result<Vec<(OutputKey, Answers)>, StoreError>> {
        Box::pin(async move { Ok(self.find(keys).await?) })
    }

    fn teach<'a>(
        &'a self,
        key: &'a OutputKey,
        lessons: &'a [Lesson],
    ) -> BoxFuture<'a, Result<Taught, StoreError>> {
        Box::pin(async move { Ok(self.add(key, lessons).await?) })
    }
}

#[cfg(test)]
mod tests;
