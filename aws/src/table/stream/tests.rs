use super::super::row::{Held, Lifetimes, Payload, Terms};
use super::*;
use serde_json::json;
use smoother_core::request::Fresh;
use smoother_core::{
    Change, Door, Estimate, Failure, LaneId, Millis, ModelId, Operation, RequestId, TenantId, Timestamp,
    lifecycle,
};

fn first() -> Row {
    let arrived_at = Timestamp::from_millis(1_790_000_000_000);
    let request = Request::fresh(Fresh {
        id: RequestId::fresh(arrived_at, [3; 10]),
        tenant: TenantId::new("acme").unwrap(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new("us.amazon.nova-pro-v1:0").unwrap(),
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at,
        body_hash: [1; 32],
        body_bytes: 4,
        estimate: Estimate::default(),
    });
    let body = Payload {
        held: Held::Item("00".to_owned()),
        bytes: 4,
    };
    Row::first(request, body, "n1".to_owned(), arrived_at)
}

fn after(row: &Row, change: &Change) -> Row {
    let next = lifecycle::apply(&row.request, change).unwrap();
    row.then(next, None, "n".to_owned(), Timestamp::from_millis(2))
}

fn failed() -> Row {
    let failure = Failure {
        kind: None,
        status: 500,
        exception: "InternalServerException".to_owned(),
        message: "später".to_owned(),
        headers: Vec::new(),
    };
    let at = Timestamp::from_millis(1_790_000_000_009);
    after(
        &first(),
        &Change::Fail {
            call: None,
            failure,
            at,
        },
    )
}

/// As DynamoDB writes it into a record.
fn image(row: &Row) -> Value {
    let terms = Terms {
        lifetimes: Lifetimes::new(Millis::from_secs(60)),
        burndowns: [].into(),
    };
    let text = |value: &AttributeValue| match value {
        AttributeValue::S(text) => json!({ "S": text }),
        AttributeValue::N(number) => json!({ "N": number }),
        other => panic!("{other:?}"),
    };
    let item = row.item(&terms).unwrap();
    item.iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

#[test]
fn the_write_that_ends_a_request_tells_it_and_no_other_does() {
    let (open, dead) = (first(), failed());
    let told = |old: &Value, new: &Row| ended(old, &image(new)).unwrap();
    assert_eq!(told(&image(&open), &dead), Some(dead.request.clone()));
    // A reader of newest images only, or a record of a row that was ended by its first write.
    assert_eq!(told(&Value::Null, &dead), Some(dead.request.clone()));
    assert_eq!(told(&Value::Null, &open), None);
    let dismissed = after(&dead, &Change::Dismiss);
    assert_eq!(told(&image(&dead), &dismissed), None);
    let redriven = after(&dead, &Change::Redrive);
    assert_eq!(told(&image(&dead), &redriven), None);
    // Removed when its time to live was over.
    assert_eq!(ended(&image(&dead), &Value::Null).unwrap(), None);
}

#[test]
fn other_items_tell_nothing_and_a_row_that_does_not_read_is_damage() {
    let mut call = image(&failed());
    call["sk"] = json!({ "S": "CALL#0000000001" });
    assert_eq!(ended(&Value::Null, &call).unwrap(), None);
    for (name, value) in [
        ("doc", json!({ "S": "{" })),
        ("doc", json!({ "M": {} })),
        ("rev", json!(null)),
    ] {
        let mut row = image(&failed());
        row[name] = value;
        let said = ended(&Value::Null, &row);
        assert!(matches!(said, Err(StoreError::Damaged(_))), "{said:?}");
    }
}
