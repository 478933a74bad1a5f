//! Lanes that are not configured any more, and whether anything is left in them.
//!
//! Nothing in the table says by itself which lanes there are, and a deployment knows its own lanes alone. So whoever
//! holds lanes notes their names before it holds any, and the notes stay: what a lane still holds when it is taken out
//! of the configuration, or what comes to it later by a chain that was worked out before, is found by its note.

use super::{DynamoHold, of, snoozed_in, waiting};
use crate::fault::Fault;
use crate::table::Query;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading, Writing};
use crate::table::keys::{self, LEDGER};
use crate::table::schema::DUE;
use futures_util::future::try_join_all;
use smoother_core::LaneId;
use smoother_core::ports::StoreError;
use smoother_core::scheduler::LaneSnapshot;

impl DynamoHold {
    /// Notes that there are these lanes.
    ///
    /// # Errors
    /// [`StoreError`] where the table fails.
    pub async fn note_lanes(&self, lanes: impl IntoIterator<Item = LaneId>) -> Result<(), StoreError> {
        let items: Vec<Item> = lanes
            .into_iter()
            .map(|lane| Writing::new(&keys::lane_note(&lane)).done())
            .collect();
        try_join_all(items.iter().map(|item| self.table.put(item, None))).await?;
        Ok(())
    }

    /// Every lane that was ever noted.
    ///
    /// # Errors
    /// [`StoreError`] where the table fails.
    pub async fn noted_lanes(&self) -> Result<Vec<LaneId>, StoreError> {
        let query = Query {
            index: None,
            keys: Expression::new("#pk = :pk").text(":pk", keys::EVERY_LANE),
            forward: true,
        };
        let lane = |item: &Item| {
            let reading = Reading::new(item)?;
            let name = reading.text("sk")?;
            LaneId::new(name).map_err(|error| reading.damaged("sk", error))
        };
        let found = self.table.query(&query, usize::MAX).await?;
        let lanes: Result<Vec<LaneId>, Fault> = found.items.iter().map(lane).collect();
        Ok(lanes?)
    }

    /// Whether anything may be left in a lane that nobody holds: somebody in its registry, a snoozed request, a call
    /// under way.
    ///
    /// # Errors
    /// [`StoreError`] where the table fails.
    pub async fn has_anything(&self, lane: &LaneId) -> Result<bool, StoreError> {
        if !waiting::backlog(&self.table, keys::lane(lane)).await?.is_empty()
            || waiting::any(&self.table, &DUE, snoozed_in(lane)).await?
        {
            return Ok(true);
        }
        let ledger = self.table.get(&of(lane, LEDGER)).await?;
        let ledger: Option<LaneSnapshot> = match ledger {
            Some(item) => super::doc(&item)?,
            None => None,
        };
        Ok(ledger.is_some_and(|ledger| ledger.under_way() > 0))
    }
}

#[cfg(test)]
mod tests {
    use crate::hold::DynamoHold;
    use crate::script::{Answer, Script, chance};
    use serde_json::{Value, json};
    use smoother_core::LaneId;

    fn hold(script: &Script) -> DynamoHold {
        let client = crate::clients::dynamodb(&script.environment());
        DynamoHold::new(client, "requests", chance())
    }

    fn items(items: &[Value]) -> Answer {
        Answer::Json(200, json!({ "Items": items, "Count": items.len() }))
    }

    fn item(pk: &str, sk: &str) -> Value {
        json!({"pk": {"S": pk}, "sk": {"S": sk}, "v": {"N": "1"}, "at": {"N": "1"}})
    }

    #[tokio::test(start_paused = true)]
    async fn lanes_are_noted_and_found_by_their_notes() {
        let lanes = ["haiku", "sonnet"].map(|name| LaneId::new(name).unwrap());
        let noted = lanes.iter().map(|lane| item("L", lane.as_str()));
        let script = Script::default()
            .times(2, Answer::done)
            .then(items(&noted.collect::<Vec<_>>()));
        let hold = hold(&script);
        hold.note_lanes(lanes.clone()).await.unwrap();
        assert_eq!(hold.noted_lanes().await.unwrap(), lanes);
        assert_eq!(script.asked(), ["PutItem", "PutItem", "Query"]);
        let put = script.requests();
        let names: Vec<&str> = put
            .iter()
            .filter_map(|put| put.body["Item"]["sk"]["S"].as_str())
            .collect();
        assert_eq!(names, ["haiku", "sonnet"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_is_left_alone_when_nobody_waits_in_it_and_nothing_runs() {
        let haiku = LaneId::new("haiku").unwrap();
        let snoozed = item("R#0199", "ROW");
        for (answers, anything) in [
            (vec![items(&[item("L#haiku", "B#batch#acme")])], true),
            (vec![items(&[]), items(&[snoozed])], true),
            (vec![items(&[]), items(&[]), Answer::done()], false),
        ] {
            let script = answers.into_iter().fold(Script::default(), Script::then);
            assert_eq!(hold(&script).has_anything(&haiku).await, Ok(anything));
        }
    }
}
