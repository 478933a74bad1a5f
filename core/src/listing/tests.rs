use super::*;
use crate::cost::Estimate;
use crate::ids::{LaneId, ModelId, RequestId, TenantId};
use crate::lifecycle::State;
use crate::model::{ErrorFilter, ModelErrorKind, Operation};
use crate::request::{Door, Failure, Fresh};
use crate::units::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn letter() -> Request {
    let fresh = Request::fresh(Fresh {
        id: RequestId::from_bytes([1; 16]),
        tenant: TenantId::default(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new("m").unwrap(),
        operation: Operation::Converse,
        door: Door::Job,
        arrived_at: Timestamp::EPOCH,
        body_hash: [0; 32],
        body_bytes: 1,
        estimate: Estimate::default(),
    });
    Request {
        state: State::Failed,
        dead: true,
        ended_at: Some(NOW),
        outcome: Some(Outcome::Failure(Failure {
            kind: Some(ModelErrorKind::Internal),
            status: 500,
            exception: String::new(),
            message: String::new(),
            headers: Vec::new(),
        })),
        ..fresh
    }
}

fn filter(set: impl FnOnce(&mut ListFilter)) -> ListFilter {
    let mut filter = ListFilter::default();
    set(&mut filter);
    filter
}

fn filters() -> Vec<(ListFilter, bool)> {
    let lane = |name| Some(LaneId::new(name).unwrap());
    let error = |word| Some(ErrorFilter::parse(word).unwrap());
    let at = |ms| Some(Timestamp::from_millis(ms));
    vec![
        (filter(|_| {}), true),
        (filter(|f| f.dead = true), true),
        (filter(|f| f.lane = lane("sonnet")), true),
        (filter(|f| f.lane = lane("haiku")), false),
        (filter(|f| f.states = vec![State::Failed]), true),
        (filter(|f| f.states = vec![State::Queued]), false),
        (filter(|f| f.tenant = Some(TenantId::new("acme").unwrap())), false),
        (filter(|f| f.error = error("internal")), true),
        (filter(|f| f.error = error("none")), false),
        (filter(|f| f.ended_from = at(1_000)), true),
        (filter(|f| f.ended_from = at(1_001)), false),
        (filter(|f| f.ended_before = at(1_001)), true),
        (filter(|f| f.ended_before = at(1_000)), false),
    ]
}

#[test]
fn a_filter_takes_what_fits_all_it_says() {
    for (filter, takes) in filters() {
        assert_eq!(filter.takes(&letter()), takes, "{filter:?}");
    }
    let open = Request {
        ended_at: None,
        outcome: None,
        ..letter()
    };
    for (filter, _) in filters()
        .into_iter()
        .filter(|(f, _)| f.error.is_some() || f.ended_before.is_some())
    {
        assert!(!filter.takes(&open), "{filter:?}: it has not ended");
    }
}

#[test]
fn a_cursor_opens_only_as_it_was_sealed() {
    let all = filters();
    for (filter, _) in &all {
        let sealed = seal("12:abc", filter);
        assert_eq!(open(&sealed[1..], filter), None);
        for (other, _) in &all {
            let inner = (other == filter).then_some("12:abc");
            assert_eq!(open(&sealed, other).as_deref(), inner, "{filter:?} {other:?}");
        }
    }
    let all = ListFilter::default();
    assert_eq!(open("", &all), None);
    assert_eq!(open("not a cursor", &all), None);
}
