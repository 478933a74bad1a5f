//! Where everything stands in the table: keys as pure functions, and back.

use smoother_core::estimate::OutputKey;
use smoother_core::ports::ConnectionId;
use smoother_core::{CallNo, LaneId, Priority, RequestId, TenantId, Timestamp};

/// The sort key of a request's row.
pub(crate) const ROW: &str = "ROW";
/// The sort keys of a lane's items.
pub(crate) const LEASE: &str = "LEASE";
pub(crate) const LEDGER: &str = "LEDGER";
pub(crate) const TENANTS: &str = "TENANTS";
pub(crate) const VIEW: &str = "VIEW";
/// The sort key of a connection's own item.
pub(crate) const CONN: &str = "CONN";

/// Partitions of each index. One takes 1,000 writes a second, which is more than the quota of any lane lets through;
/// a row goes to the partition that its id names, and readers read all of them, so a count may be raised (not lowered)
/// while rows are stored.
pub(crate) const WAITING_SHARDS: u8 = 1;
pub(crate) const DUE_SHARDS: u8 = 1;
pub(crate) const LISTING_SHARDS: u8 = 1;
pub(crate) const DEAD_SHARDS: u8 = 1;

/// The latest moment that a sort key can name: 13 digits, in the year 2286.
const LATEST: u64 = 9_999_999_999_999;
const DAY_MS: u64 = 86_400_000;

/// An item's key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    pub(crate) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            pk: pk.into(),
            sk: sk.into(),
        }
    }
}

/// Everything of one request.
pub(crate) fn request(id: RequestId) -> String {
    format!("R#{id}")
}

pub(crate) fn row(id: RequestId) -> Key {
    Key::new(request(id), ROW)
}

pub(crate) fn body(id: RequestId, hash: &str) -> Key {
    Key::new(request(id), format!("BODY#{hash}"))
}

/// Zeros before the number, so that calls sort by it.
pub(crate) fn call(id: RequestId, number: CallNo) -> Key {
    Key::new(request(id), format!("CALL#{:010}", number.get()))
}

/// Everything of one lane.
pub(crate) fn lane(lane: &LaneId) -> String {
    format!("L#{lane}")
}

/// The note that a tenant may have requests waiting in a band of a lane.
pub(crate) fn backlog(lane_id: &LaneId, priority: Priority, tenant: &TenantId) -> Key {
    Key::new(lane(lane_id), format!("B#{priority}#{tenant}"))
}

/// Whose backlog such a note is about.
pub(crate) fn backlog_of(sk: &str) -> Option<(Priority, TenantId)> {
    let (priority, tenant) = sk.strip_prefix("B#")?.split_once('#')?;
    Some((Priority::parse(priority)?, TenantId::new(tenant).ok()?))
}

/// The notes of the days on which a tenant's requests came.
pub(crate) fn days(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

/// The note that a tenant's requests came on a day, counted from the epoch.
pub(crate) fn day(tenant: &TenantId, day: u64) -> Key {
    Key::new(days(tenant), format!("{day:05}"))
}

/// The notes of all tenants there are.
pub(crate) const EVERY_TENANT: &str = "T";

pub(crate) fn tenant(tenant: &TenantId) -> Key {
    Key::new(EVERY_TENANT, tenant.as_str())
}

/// The notes of all lanes there were.
pub(crate) const EVERY_LANE: &str = "L";

/// The note that there is, or was, a lane.
pub(crate) fn lane_note(lane: &LaneId) -> Key {
    Key::new(EVERY_LANE, lane.as_str())
}

/// The mark of the deployment that is in force.
pub(crate) fn deployed() -> Key {
    Key::new("DEPLOYED", "MARK")
}

/// What is known of the answers under a key, each in a partition of its own: a model's is written by whoever hears of any answer of it.
pub(crate) fn outputs(key: &OutputKey) -> Key {
    Key::new(format!("O#{key}"), "OUTPUTS")
}

/// Everything of one WebSocket connection.
pub(crate) fn connection(id: &ConnectionId) -> String {
    format!("W#{id}")
}

/// The connection that such a key names.
pub(crate) fn connection_of(key: &str) -> Option<ConnectionId> {
    ConnectionId::new(key.strip_prefix("W#")?)
}

/// Days since the epoch, UTC.
pub(crate) const fn day_of(at: Timestamp) -> u64 {
    at.as_millis() / DAY_MS
}

/// Which of so many partitions a request goes to.
pub(crate) fn shard(id: RequestId, of: u8) -> u8 {
    id.as_bytes()[15] % of.max(1)
}

/// The partition of the waiting index in which a tenant's requests of a band wait.
pub(crate) fn waiting(lane: &LaneId, priority: Priority, tenant: &TenantId, shard: u8) -> String {
    format!("R#{lane}#{priority}#{tenant}#{shard}")
}

/// The partition of the index of snoozed requests.
pub(crate) fn due(lane: &LaneId, shard: u8) -> String {
    format!("D#{lane}#{shard}")
}

/// The partition of the listing index that holds what a tenant sent on a day.
pub(crate) fn listing(tenant: &TenantId, day: u64, shard: u8) -> String {
    format!("{tenant}#{day:05}#{shard}")
}

/// The partition of the index of dead letters.
pub(crate) fn dead(shard: u8) -> String {
    format!("X#{shard}")
}

/// A place in an index that sorts by time, and among the requests of one moment by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) at: u64,
    pub(crate) id: RequestId,
}

impl Place {
    pub(crate) fn new(at: Timestamp, id: RequestId) -> Self {
        Self {
            at: at.as_millis().min(LATEST),
            id,
        }
    }

    /// The sort key.
    pub(crate) fn key(self) -> String {
        format!("{:013}#{}", self.at, self.id)
    }

    /// The place that a sort key names, if it is written exactly as [`Place::key`] writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('#')?;
        let place = Self {
            at: at.parse().ok()?,
            id: id.parse::<RequestId>().ok().filter(|_| at.len() == 13)?,
        };
        (place.key() == text).then_some(place)
    }
}

/// The first sort key after everything at or before `until`.
pub(crate) fn after_moment(until: Timestamp) -> String {
    format!("{:013}", until.as_millis().saturating_add(1).min(LATEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RequestId {
        RequestId::fresh(Timestamp::from_millis(1_790_000_000_000), [n; 10])
    }

    #[test]
    fn places_sort_by_time_then_id_and_read_back() {
        let at = Timestamp::from_millis;
        let mut keys = [
            Place::new(at(9), id(1)),
            Place::new(at(10), id(0)),
            Place::new(at(10), id(2)),
            Place::new(Timestamp::NEVER, id(1)),
        ]
        .map(Place::key);
        assert!(keys.is_sorted());
        for key in &keys {
            assert_eq!(Place::parse(key).unwrap().key(), *key);
        }
        keys[0].push('x');
        for bad in [
            keys[0].as_str(),
            "",
            "9#",
            "tomorrow",
            "0000000000009",
            &"9".repeat(9_999),
        ] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
        // What another spelling of the same id or number would let through twice.
        assert_eq!(Place::parse(&Place::new(at(9), id(1)).key().to_uppercase()), None);
        assert_eq!(Place::parse(&format!("+00000000009#{}", id(1))), None);
        assert!(Place::new(at(10), id(255)).key() < after_moment(at(10)));
        assert!(Place::new(at(11), id(0)).key() > after_moment(at(10)));
    }

    #[test]
    fn keys_lead_back_to_what_they_name() {
        let (sonnet, acme) = (LaneId::new("sonnet").unwrap(), TenantId::new("acme_1").unwrap());
        for priority in Priority::ALL {
            let key = backlog(&sonnet, priority, &acme);
            assert_eq!(backlog_of(&key.sk), Some((priority, acme.clone())));
        }
        let connection_id = ConnectionId::new("L0SM9cOFvHcCIhw=").unwrap();
        assert_eq!(connection_of(&connection(&connection_id)), Some(connection_id));
        for bad in ["", "B#", "B#normal", "B#urgent#acme", "B#normal#"] {
            assert_eq!(backlog_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn calls_sort_by_number() {
        let keys = [1, 9, 10, 11, 4_000_000_000].map(|n| call(id(1), CallNo::new(n)).sk);
        assert!(keys.is_sorted());
    }
}
