use super::super::item::VERSION;
use super::*;
use aws_sdk_dynamodb::types::AttributeValue;
use smoother_core::request::Fresh;
use smoother_core::{
    CallNo, Change, Door, Estimate, Failure, LaneId, ModelId, Operation, RequestId, TenantId, Tokens,
    lifecycle,
};

const DAY: u64 = 86_400_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + ms)
}

fn request() -> Request {
    let arrived_at = at(0);
    Request::fresh(Fresh {
        id: RequestId::fresh(arrived_at, [3; 10]),
        tenant: TenantId::new("acme").unwrap(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap(),
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at,
        body_hash: [1; 32],
        body_bytes: 4,
        estimate: Estimate {
            input: Tokens::new(10),
            max_output: Tokens::new(100),
            expected_output: Tokens::new(50),
        },
    })
}

fn body() -> Payload {
    Payload {
        held: Held::Item("00ff".to_owned()),
        bytes: 4,
    }
}

fn lifetimes() -> Lifetimes {
    Lifetimes::new(Millis::new(7 * DAY))
}

fn terms() -> Terms {
    Terms {
        lifetimes: lifetimes(),
        burndowns: [(LaneId::new("sonnet").unwrap(), 5)].into(),
    }
}

fn first() -> Row {
    Row::first(request(), body(), "n1".to_owned(), at(1))
}

fn after(row: &Row, changes: &[Change]) -> Row {
    changes.iter().fold(row.clone(), |row, change| {
        let next = lifecycle::apply(&row.request, change).unwrap();
        let nonce = format!("n{}", next.rev.get());
        row.then(next, None, nonce, at(2))
    })
}

fn release() -> Change {
    Change::Release {
        lane: LaneId::new("sonnet").unwrap(),
        call: CallNo::new(1),
        reserve: Tokens::new(1),
        start_by: at(20_000),
        at: at(10),
    }
}

fn claim() -> Change {
    Change::Claim {
        call: CallNo::new(1),
        at: at(20),
    }
}

fn requeue() -> Change {
    Change::Requeue {
        call: CallNo::new(1),
        not_before: at(5_000),
        throttle: None,
        error: None,
        spends_try: true,
    }
}

fn fail() -> Change {
    Change::Fail {
        call: Some(CallNo::new(1)),
        failure: Failure {
            kind: None,
            status: 500,
            exception: "InternalServerException".to_owned(),
            message: "zu groß\u{0}".to_owned(),
            headers: Vec::new(),
        },
        at: at(DAY),
    }
}

fn names(row: &Row) -> Vec<&'static str> {
    let item = row.item(&terms()).unwrap();
    ["wpk", "wsk", "dpk", "dsk", "lpk", "lsk", "xpk", "xsk", "w", "ttl"]
        .into_iter()
        .filter(|name| item.contains_key(*name))
        .collect()
}

#[test]
fn a_row_stands_in_each_index_while_it_belongs_there_and_no_longer() {
    let (listed, queued) = (["lpk", "lsk"], first());
    assert_eq!(names(&queued), ["wpk", "wsk", "lpk", "lsk", "w"]);
    for road in [vec![release()], vec![release(), claim()]] {
        assert_eq!(names(&after(&queued, &road)), listed);
    }
    let snoozed = after(&queued, &[release(), claim(), requeue()]);
    assert_eq!(names(&snoozed), ["dpk", "dsk", "lpk", "lsk", "w"]);
    let dead = after(&queued, &[release(), claim(), fail()]);
    assert_eq!(names(&dead), ["lpk", "lsk", "xpk", "xsk", "ttl"]);
    assert_eq!(names(&after(&dead, &[Change::Dismiss])), ["lpk", "lsk", "ttl"]);
    assert_eq!(
        names(&after(&dead, &[Change::Redrive])),
        ["wpk", "wsk", "lpk", "lsk", "w"]
    );
    let cancelled = after(&queued, &[Change::Cancel { at: at(9) }]);
    assert_eq!(names(&cancelled), ["lpk", "lsk", "ttl"]);
}

#[test]
fn what_waits_is_ordered_by_its_deadline_and_read_without_its_row() {
    let mut urgent = first();
    urgent.request.deadline = Some(at(1));
    let [urgent, patient] = [urgent, first()].map(|row| row.item(&terms()).unwrap());
    assert_eq!(urgent["wpk"], patient["wpk"]);
    assert!(urgent["wsk"].as_s().unwrap() < patient["wsk"].as_s().unwrap());
    let waiting: Waiting = serde_json::from_str(patient["w"].as_s().unwrap()).unwrap();
    assert_eq!(waiting, Waiting::priced(&request(), 5));
}

#[test]
fn a_row_reads_back_as_it_was_written() {
    let mut row = after(&first(), &[release(), claim(), fail()]);
    row.request.headers = vec![("x-odd".to_owned(), "ключ 🔑 \"'\\\u{0}\n".repeat(300))];
    row.result = Some(Payload {
        held: Held::Object("results/x/y".to_owned()),
        bytes: u64::MAX,
    });
    assert_eq!(Row::read(&row.item(&terms()).unwrap()).unwrap(), row);
    let revs: Vec<u64> = row.events().iter().map(|event| event.rev.get()).collect();
    assert_eq!(revs, [1, 2, 3, 4]);
}

#[test]
fn a_write_is_known_again_by_its_mark_also_when_others_followed() {
    let row = after(&first(), &[release(), claim()]);
    assert!(row.was_made_by(Rev::new(2), "n2") && row.was_made_by(Rev::FIRST, "n1"));
    assert!(!row.was_made_by(Rev::new(2), "n3") && !row.was_made_by(Rev::new(4), "n4"));
}

#[test]
fn the_past_does_not_grow_for_ever() {
    let mut row = first();
    for _ in 0..300 {
        let mut next = row.request.clone();
        next.rev = next.rev.next();
        row = row.then(next, None, "n".to_owned(), at(3));
    }
    let events = row.events();
    assert_eq!((events.len(), events[199].rev), (PAST, Rev::new(301)));
}

#[test]
fn what_is_over_goes_with_its_retention_and_what_is_open_stays() {
    let open = first().request;
    assert_eq!(lifetimes().of_row(&open), None);
    let parts = lifetimes().of_parts(&open, at(0));
    assert_eq!(parts, (at(21 * DAY).as_millis()) / 1_000);
    let ended = after(&first(), &[release(), claim(), fail()]).request;
    let end = Some(at(8 * DAY).as_millis() / 1_000);
    assert_eq!(
        (
            lifetimes().of_row(&ended),
            Some(lifetimes().of_parts(&ended, at(0)))
        ),
        (end, end)
    );
}

#[test]
fn damage_is_told_from_a_later_version() {
    let item = first().item(&terms()).unwrap();
    let spoiled = |name: &str, value: AttributeValue| {
        let mut item = item.clone();
        item.insert(name.to_owned(), value);
        Row::read(&item).unwrap_err()
    };
    for fault in [
        spoiled("doc", AttributeValue::S("{".to_owned())),
        spoiled("doc", AttributeValue::N("1".to_owned())),
        spoiled("rev", AttributeValue::N("7".to_owned())),
        spoiled("pk", AttributeValue::S("R#other".to_owned())),
        spoiled("body", AttributeValue::S("{\"n\":1}".to_owned())),
    ] {
        assert!(matches!(fault, Fault::Damaged(_)), "{fault:?}");
    }
    let later = spoiled("v", AttributeValue::N((VERSION + 1).to_string()));
    assert!(matches!(later, Fault::Lasting(_)), "{later:?}");
}
