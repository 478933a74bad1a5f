//! What an emulator never answers: throttles, lost answers, conflicts, half a batch.

mod objects;
mod table;

use crate::script::{Answer, Request as Asked, Script};
use serde_json::{Value, json};
use smoother_core::ports::{NewRequest, PayloadRef};
use smoother_core::request::Fresh;
use smoother_core::{Door, Estimate, LaneId, ModelId, Operation, Request, RequestId, TenantId, Timestamp};

pub(crate) fn request() -> Request {
    let arrived_at = Timestamp::from_millis(1_790_000_000_000);
    Request::fresh(Fresh {
        id: RequestId::fresh(arrived_at, [3; 10]),
        tenant: TenantId::new("acme").unwrap(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new("us.amazon.nova-pro-v1:0").unwrap(),
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at,
        body_hash: [1; 32],
        body_bytes: 2,
        estimate: Estimate::default(),
    })
}

fn new() -> NewRequest {
    NewRequest {
        request: request(),
        body: PayloadRef::Inline("{}".into()),
    }
}

/// The three notes that go before a request.
fn noted() -> Script {
    Script::default().times(3, Answer::done)
}

/// The row in the last transaction that was asked for.
fn row_of(asked: &[Asked]) -> Value {
    let last = asked
        .iter()
        .rev()
        .find(|asked| asked.what == "TransactWriteItems");
    last.unwrap().body["TransactItems"][0]["Put"]["Item"].clone()
}

/// The row in the last put that was asked for.
fn row_put(asked: &[Asked]) -> Value {
    let last = asked.iter().rev().find(|asked| asked.what == "PutItem");
    last.unwrap().body["Item"].clone()
}

/// A row as somebody else stored it.
pub(crate) fn theirs() -> Value {
    let terms = crate::table::row::Terms {
        lifetimes: crate::table::row::Lifetimes::new(smoother_core::Millis::from_secs(3_600)),
        burndowns: [].into(),
    };
    let body = crate::table::row::Payload {
        held: crate::table::row::Held::Item("00".to_owned()),
        bytes: 2,
    };
    let row = crate::table::row::Row::first(request(), body, "theirs".to_owned(), request().arrived_at);
    let text = |value: &aws_sdk_dynamodb::types::AttributeValue| {
        let number = value.as_n().map(|number| json!({ "N": number }));
        number.unwrap_or_else(|_| json!({ "S": value.as_s().unwrap() }))
    };
    let item = row.item(&terms).unwrap();
    item.iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

fn found(row: &Value) -> Answer {
    Answer::Json(200, json!({ "Item": row }))
}
