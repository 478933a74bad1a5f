//! What the table must look like, as the deployment makes it; and a look whether it does.

use super::Table;
use crate::fault::Fault;
use aws_sdk_dynamodb::types::{KeySchemaElement, KeyType, TableDescription, TableStatus};

/// An index of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Partition and sort key, both strings.
    pub keys: (&'static str, &'static str),
    /// Attributes that it carries besides the keys.
    pub carries: &'static [&'static str],
}

/// What waits and may go now.
pub const WAITING: Index = Index {
    name: "waiting",
    keys: ("wpk", "wsk"),
    carries: &["w"],
};
/// What waits for its time.
pub const DUE: Index = Index {
    name: "due",
    keys: ("dpk", "dsk"),
    carries: &["w"],
};
/// Everything, by tenant and day.
pub const LISTING: Index = Index {
    name: "listing",
    keys: ("lpk", "lsk"),
    carries: &[],
};
/// Dead letters.
pub const DEAD: Index = Index {
    name: "dead",
    keys: ("xpk", "xsk"),
    carries: &["tenant", "lane"],
};
/// Every index there is.
pub const INDEXES: [Index; 4] = [WAITING, DUE, LISTING, DEAD];

/// The table's own keys, both strings.
pub const KEYS: (&str, &str) = ("pk", "sk");
/// The attribute of the time, in seconds since the epoch, after which an item may be removed.
pub const TTL: &str = "ttl";

impl Table {
    /// Whether the table is there, may be described, and looks as it must.
    pub(crate) async fn check(&self) -> Result<(), Fault> {
        let asked = self.asked("dynamodb:DescribeTable");
        let described = self
            .ask(|| async {
                let described = self.client.describe_table().table_name(&*self.name).send().await;
                described.map_err(|error| asked.failed(&error))
            })
            .await?;
        let Some(table) = described.table else {
            return Err(Fault::Unsure(asked.because(&"the answer describes no table")));
        };
        if let Some(locked) = locked(&table) {
            return Err(Fault::Lasting(format!("table {} {locked}", self.name)));
        }
        let wrong = differences(&table);
        if wrong.is_empty() {
            return Ok(());
        }
        let wrong = wrong.join("; ");
        Err(Fault::Lasting(format!(
            "table {} is not the one that this smoother needs: {wrong}; deploy it anew, or name the right one",
            self.name
        )))
    }
}

/// Why nothing can be read of a table, where its key is the reason.
fn locked(table: &TableDescription) -> Option<String> {
    if table.table_status() != Some(&TableStatus::InaccessibleEncryptionCredentials) {
        return None;
    }
    let key = table.sse_description().and_then(|sse| sse.kms_master_key_arn());
    Some(format!(
        "cannot be read: its key {} cannot be used; enable the key, or give the role of this process kms:Decrypt on it",
        key.unwrap_or("in KMS")
    ))
}

/// Everything in which a table is not as it must be.
fn differences(table: &TableDescription) -> Vec<String> {
    let mut wrong = Vec::new();
    if !has_keys(table.key_schema(), KEYS) {
        wrong.push(format!("its keys are not {} and {}", KEYS.0, KEYS.1));
    }
    for index in &INDEXES {
        let found = table
            .global_secondary_indexes()
            .iter()
            .find(|found| found.index_name() == Some(index.name));
        let Some(found) = found else {
            wrong.push(format!("index {} is missing", index.name));
            continue;
        };
        if !has_keys(found.key_schema(), index.keys) {
            let (partition, sort) = index.keys;
            wrong.push(format!(
                "the keys of index {} are not {partition} and {sort}",
                index.name
            ));
        }
        let projection = found.projection();
        let all = projection
            .and_then(|p| p.projection_type())
            .is_some_and(|kind| kind.as_str() == "ALL");
        let carried = projection.map(|p| p.non_key_attributes()).unwrap_or_default();
        let lacks = |name: &&&str| !all && !carried.iter().any(|found| found == **name);
        for name in index.carries.iter().filter(lacks) {
            wrong.push(format!("index {} does not carry {name}", index.name));
        }
    }
    wrong
}

fn has_keys(schema: &[KeySchemaElement], keys: (&str, &str)) -> bool {
    let named = |kind: &KeyType| {
        let found = schema.iter().find(|element| element.key_type() == kind);
        found.map(KeySchemaElement::attribute_name)
    };
    (named(&KeyType::Hash), named(&KeyType::Range)) == (Some(keys.0), Some(keys.1))
}
