//! What the writer's tests begin with.

use smoother_core::request::Fresh;
use smoother_core::{
    Door, Estimate, LaneId, ModelId, Operation, Request, RequestId, TenantId, Timestamp, Tokens,
};

/// A request that arrived at this millisecond.
pub(super) fn request(ms: u64) -> Request {
    let arrived_at = Timestamp::from_millis(ms);
    Request::fresh(Fresh {
        id: RequestId::fresh(arrived_at, [0; 10]),
        tenant: TenantId::default(),
        lane: LaneId::new("sonnet").unwrap(),
        model: ModelId::new("a-model").unwrap(),
        operation: Operation::Converse,
        door: Door::Sync,
        arrived_at,
        body_hash: [0; 32],
        body_bytes: 0,
        estimate: Estimate {
            input: Tokens::new(1),
            max_output: Tokens::new(1),
            expected_output: Tokens::new(1),
        },
    })
}
