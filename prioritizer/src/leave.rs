//! A waiting request goes on in its chain: stands in line in the next lane, or is answered with the chain's text.

use crate::carry_out::Hands;
use smoother_core::lifecycle::Leaving;
use smoother_core::ports::{ChangeError, PayloadKind};
use smoother_core::scheduler::Event;
use smoother_core::{Change, HopCause, Refused, Request, RequestId, fallback};

/// Writes the step and tells the next lane. Whatever was refused is for the row to say.
///
/// The first thing done is a write: where commits come in order, a lane is told of a request whose row is still on
/// its way into the store. A write comes after it, while a read would not find it, and the request would be forgotten.
pub(crate) async fn go_on(hands: &Hands, id: RequestId, cause: HopCause) -> Result<(), ChangeError> {
    let ports = &hands.ports;
    let at = ports.clock.now();
    let from = Leaving::Line(hands.lane.clone());
    match ports.store.change(id, Change::Divert { from, cause, at }).await {
        Ok(row) => enter(hands, &row).await,
        Err(ChangeError::Refused(Refused::NoHop { .. })) => answer(hands, id, cause).await?,
        Err(error) => return Err(error),
    }
    Ok(())
}

/// There is no lane left in its chain: what is, is the text that ends it.
async fn answer(hands: &Hands, id: RequestId, cause: HopCause) -> Result<(), ChangeError> {
    let ports = &hands.ports;
    let row = ports.store.get(id).await?.ok_or(ChangeError::NotFound(id))?;
    let Some((change, Some(result))) = fallback::next_step(&row, None, cause, ports.clock.now()) else {
        tracing::error!(lane = %hands.lane, request = %id, "sent on with its chain at the end");
        return Err(ChangeError::NotFound(id));
    };
    let kept = ports.payloads.keep(id, PayloadKind::Result, result).await?;
    ports.store.answer(id, change, kept).await?;
    Ok(())
}

pub(crate) async fn enter(hands: &Hands, row: &Request) {
    let arrived = Event::Arrived(hands.priced(row));
    if let Err(error) = hands.ports.lanes.send(&row.lane, arrived).await {
        // Stored as it is, the next start puts it in line there.
        tracing::warn!(lane = %row.lane, request = %row.id, %error, "a lane could not be told of a request that falls back to it");
    }
}
