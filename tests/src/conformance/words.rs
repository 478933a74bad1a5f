//! The requests and changes that the cases speak of.

use smoother_core::call::{CallEnding, Settlement};
use smoother_core::degraded::Form;
use smoother_core::fallback::{Hop, HopCause};
use smoother_core::lifecycle::Leaving;
use smoother_core::request::Fresh;
use smoother_core::right_size::{RightSize, Slot};
use smoother_core::{
    CallNo, Change, Door, Estimate, Failure, LaneId, ModelErrorKind, ModelHead, ModelId, OnDisconnect,
    Operation, Outcome, Request, RequestId, TenantId, Timestamp, Tokens,
};

const START: u64 = 1_790_000_000_000;

/// `ms` after the beginning of a case.
pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

/// The lane of that name.
pub fn lane(name: &str) -> LaneId {
    LaneId::new(name).expect("a lane's name")
}

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("a tenant's name")
}

/// The id of request `n`.
pub fn id(n: u64) -> RequestId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    RequestId::fresh(at(n), random)
}

/// Request `n` of tenant acme on lane sonnet, which arrived `n` ms after the beginning. It may be sent right-sized, and
/// one with an odd number is.
pub fn request(n: u64) -> Request {
    let right_size = RightSize {
        slot: Slot::new(2..3, "\"ä\":", ","),
        own: (n % 2 == 1).then_some(Tokens::new(4_096)),
        rerun: false,
    };
    let mut request = Request::fresh(Fresh {
        id: id(n),
        tenant: tenant("acme"),
        lane: lane("sonnet"),
        model: ModelId::new("us.anthropic.claude-sonnet-4-5-20250929-v1:0").expect("a model's id"),
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at: at(n),
        body_hash: [1; 32],
        body_bytes: 4,
        estimate: Estimate {
            input: Tokens::new(10),
            max_output: Tokens::new(100),
            expected_output: Tokens::new(50),
        },
    });
    request.right_size = Some(right_size);
    request
}

pub(super) fn release(call: u32) -> Change {
    release_in("sonnet", call)
}

pub(super) fn release_in(name: &str, call: u32) -> Change {
    Change::Release {
        lane: lane(name),
        call: CallNo::new(call),
        reserve: Tokens::new(110),
        start_by: at(20_000),
        at: at(100),
    }
}

pub(super) fn claim(call: u32) -> Change {
    claim_at(call, 200)
}

pub(super) fn claim_at(call: u32, ms: u64) -> Change {
    Change::Claim {
        call: CallNo::new(call),
        at: at(ms),
    }
}

pub(super) fn requeue(call: u32) -> Change {
    Change::Requeue {
        call: CallNo::new(call),
        not_before: at(500),
        throttle: None,
        error: None,
        spends_try: true,
    }
}

pub(super) fn complete(call: u32) -> Change {
    Change::Complete {
        call: CallNo::new(call),
        answer: answer(),
        first_output_at: None,
        at: at(300),
    }
}

pub(super) fn fail(call: Option<u32>) -> Change {
    Change::Fail {
        call: call.map(CallNo::new),
        failure: Failure {
            kind: None,
            status: 400,
            exception: "ValidationException".to_owned(),
            message: "zu groß: 💥 \"quoted\"\n\u{0}".to_owned(),
            headers: Vec::new(),
        },
        at: at(300),
    }
}

fn leaving(call: Option<u32>) -> Leaving {
    call.map_or_else(
        || Leaving::Line(lane("sonnet")),
        |call| Leaving::Call(CallNo::new(call)),
    )
}

/// Leaves its lane for the next one of its chain, because upstream was not available.
pub(super) fn divert(call: Option<u32>) -> Change {
    Change::Divert {
        from: leaving(call),
        cause: HopCause::Error(ModelErrorKind::Unavailable),
        at: at(300),
    }
}

/// Ends with the text at the end of its chain.
pub(super) fn degrade(call: Option<u32>) -> Change {
    Change::Degrade {
        from: leaving(call),
        cause: HopCause::BreakerOpen,
        answer: answer(),
        at: at(300),
    }
}

/// A chain of one more lane, `nova`.
pub(super) fn to_nova() -> Vec<Hop> {
    vec![Hop::Lane {
        lane: lane("nova"),
        model: ModelId::new("us.amazon.nova-pro-v1:0").expect("a model's id"),
        estimate: Estimate::default(),
        own_output: None,
    }]
}

/// A chain of nothing but a text.
pub(super) fn to_text() -> Vec<Hop> {
    vec![Hop::Answer {
        text: "später 🙏".to_owned(),
        form: Form::Nova,
    }]
}

pub(super) fn answer() -> Outcome {
    Outcome::Answer {
        head: ModelHead::default(),
        usage: None,
        bytes: 6,
    }
}

pub(super) fn cancel() -> Change {
    Change::Cancel { at: at(400) }
}

/// One of every kind of change, each naming call `call` where it names one.
pub(super) fn every_change(call: u32) -> Vec<Change> {
    vec![
        Change::Queue,
        release(call),
        claim(call),
        claim_at(call, 20_001),
        Change::Lapse {
            call: CallNo::new(call),
            at: at(20_000),
        },
        Change::Lapse {
            call: CallNo::new(call),
            at: at(20_001),
        },
        Change::Void {
            call: CallNo::new(call),
        },
        requeue(call),
        divert(Some(call)),
        divert(None),
        degrade(Some(call)),
        degrade(None),
        Change::Lose {
            call: CallNo::new(call),
            at: at(300),
        },
        complete(call),
        fail(Some(call)),
        fail(None),
        cancel(),
        Change::Expire { at: at(400) },
        Change::Abandon { at: at(400) },
        Change::Join {
            door: Door::Job,
            on_disconnect: OnDisconnect::Finish,
        },
        Change::Resize {
            lane: lane("sonnet"),
            max_output: Tokens::new(20),
        },
        Change::Rerun {
            call: CallNo::new(call),
        },
        Change::Redrive,
        Change::Dismiss,
    ]
}

pub(super) fn settlement(call: u32, ending: CallEnding, charged: u64) -> Settlement {
    Settlement {
        call: CallNo::new(call),
        ending,
        charged: Tokens::new(charged),
        usage: None,
        throttle: None,
        error: None,
        upstream_request_id: None,
        at: at(300),
    }
}
