//! A call ↔ its item. The settlement is an attribute of its own, written once: the first one stands.

use super::item::{Item, Reading, Writing};
use super::keys;
use crate::fault::Fault;
use smoother_core::{Call, Settlement};

/// The attribute of a call's settlement.
pub(crate) const SETTLED: &str = "settled";

/// The item of a call that begins.
pub(crate) fn item(call: &Call, ttl: u64) -> Result<Item, Fault> {
    let item = Writing::new(&keys::call(call.request, call.number));
    Ok(item
        .json("doc", call)?
        .text("lane", call.lane.as_str())
        .number("ttl", ttl)
        .done())
}

/// The call that an item holds.
pub(crate) fn read(item: &Item) -> Result<Call, Fault> {
    let reading = Reading::new(item)?;
    let call: Call = reading.json("doc")?;
    let settlement: Option<Settlement> = reading.maybe_json(SETTLED)?;
    Ok(match settlement {
        Some(settlement) => call.settled(settlement),
        None => call,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use smoother_core::{CallNo, LaneId, RequestId, Timestamp, Tokens};

    #[test]
    fn a_call_reads_back_before_and_after_its_settlement() {
        let call = Call {
            request: RequestId::fresh(Timestamp::from_millis(1), [1; 10]),
            number: CallNo::new(3),
            lane: LaneId::new("sonnet").unwrap(),
            reserved: Tokens::new(110),
            charged_at: Timestamp::from_millis(2),
            settlement: None,
        };
        let mut stored = item(&call, 9).unwrap();
        assert_eq!(read(&stored).unwrap(), call);
        let settlement = Settlement::indeterminate(call.number, call.reserved, Timestamp::from_millis(5));
        let text = serde_json::to_string(&settlement).unwrap();
        stored.insert(SETTLED.to_owned(), AttributeValue::S(text));
        assert_eq!(read(&stored).unwrap(), call.settled(settlement));
    }
}
