//! A lease ↔ its item, and the conditions under which one takes another's place.

use crate::fault::Fault;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading, Writing};
use crate::table::keys::Key;
use smoother_core::Timestamp;
use smoother_core::hold::{Epoch, Lease};

/// The item, as its holder's write number `seq`.
pub(super) fn item(key: &Key, lease: &Lease, seq: u64) -> Item {
    Writing::new(key)
        .text("owner", &lease.owner)
        .number("epoch", lease.epoch.get())
        .number("expires", lease.expires.as_millis())
        .number("awake", lease.awake_until.as_millis())
        .number("seq", seq)
        .done()
}

pub(super) fn read(item: &Item) -> Result<Lease, Fault> {
    let reading = Reading::new(item)?;
    Ok(Lease {
        owner: reading.text("owner")?.to_owned(),
        epoch: Epoch::new(reading.number("epoch")?),
        expires: Timestamp::from_millis(reading.number("expires")?),
        awake_until: Timestamp::from_millis(reading.number("awake")?),
    })
}

/// The stored lease is exactly this one, or there is none.
pub(super) fn is_still(lease: Option<&Lease>) -> Expression {
    let Some(lease) = lease else {
        return Expression::new("attribute_not_exists(#pk)");
    };
    Expression::new("#owner = :owner AND #epoch = :epoch AND #expires = :expires AND #awake = :awake")
        .text(":owner", &lease.owner)
        .number(":epoch", lease.epoch.get())
        .number(":expires", lease.expires.as_millis())
        .number(":awake", lease.awake_until.as_millis())
}

/// The stored lease is an earlier state of this one: a promise is never taken back, and what arrives late changes
/// nothing.
pub(super) fn is_renewed_by(lease: &Lease, seq: u64) -> Expression {
    Expression::new("#owner = :owner AND #epoch = :epoch AND #awake <= :awake AND #seq <= :seq")
        .number(":seq", seq)
        .text(":owner", &lease.owner)
        .number(":epoch", lease.epoch.get())
        .number(":awake", lease.awake_until.as_millis())
}
