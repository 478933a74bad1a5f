//! A lease ↔ its item, and the conditions under which one takes another's place.

use crate::fault::Fault;
use crate::table::condition::Expression;
use crate::table::item::{Item, Reading, Writing};
use crate::table::keys::Key;
use smoother_core::Timestamp;
use smoother_core::hold::{Epoch, Lease};

pub(super) fn item(key: &Key, lease: &Lease) -> Item {
    Writing::new(key)
        .text("owner", &lease.owner)
        .number("epoch", lease.epoch.get())
        .number("expires", lease.expires.as_millis())
        .number("awake", lease.awake_until.as_millis())
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

/// The stored lease is an earlier state of this one: a promise is never taken back.
pub(super) fn is_renewed_by(lease: &Lease) -> Expression {
    Expression::new("#owner = :owner AND #epoch = :epoch AND #awake <= :awake")
        .text(":owner", &lease.owner)
        .number(":epoch", lease.epoch.get())
        .number(":awake", lease.awake_until.as_millis())
}
