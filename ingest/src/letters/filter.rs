//! Which dead letters somebody means.
//!
//! ```json
//! {"lane": "sonnet", "error": "internal", "after": "2026-01-31T12:00:00Z", "before": "…", "limit": 100, "cursor": "…"}
//! {"all": true}
//! ```

use crate::json;
use crate::refusal::Refusal;
use chrono::DateTime;
use serde::Deserialize;
use smoother_core::model::ErrorFilter;
use smoother_core::ports::ListFilter;
use smoother_core::{LaneId, TenantId, Timestamp, listing, quoted};

/// Letters in one batch, where nothing is said.
const BATCH: usize = 100;
/// And the most.
const LARGEST_BATCH: u64 = 1_000;

/// A batch of letters, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) filter: ListFilter,
    /// The store's own cursor.
    pub(crate) cursor: Option<String>,
    pub(crate) limit: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Form {
    lane: Option<String>,
    error: Option<String>,
    after: Option<String>,
    before: Option<String>,
    all: bool,
    limit: Option<u64>,
    cursor: Option<String>,
}

impl Wish {
    /// Reads a body.
    pub(crate) fn of_body(body: &[u8], tenant: TenantId) -> Result<Self, Refusal> {
        Self::of_form(&json::object(json::text(body)?)?, tenant)
    }

    /// Reads the parameters of a query, which say the same.
    pub(crate) fn of_query(pairs: Vec<(String, String)>, tenant: TenantId) -> Result<Self, Refusal> {
        let mut members = serde_json::Map::new();
        for (name, value) in pairs {
            let value = match name.as_str() {
                "all" => value.parse().map_or(value.into(), serde_json::Value::Bool),
                "limit" => value.parse::<u64>().map_or(value.into(), Into::into),
                _ => value.into(),
            };
            if members.contains_key(&name) {
                let name = quoted(&name);
                return Err(Refusal::invalid(format!(
                    "{name:?} is given twice; give it once."
                )));
            }
            members.insert(name, value);
        }
        Self::of_form(
            &json::object(&serde_json::Value::Object(members).to_string())?,
            tenant,
        )
    }

    fn of_form(form: &Form, tenant: TenantId) -> Result<Self, Refusal> {
        let filter = form.filter(tenant)?;
        let cursor = match form.cursor.as_deref() {
            None => None,
            Some(sealed) => Some(listing::open(sealed, &filter).ok_or_else(bad_cursor)?),
        };
        let limit = form.limit()?;
        Ok(Self {
            filter,
            cursor,
            limit,
        })
    }
}

impl Form {
    fn filter(&self, tenant: TenantId) -> Result<ListFilter, Refusal> {
        let invalid = |error: &dyn std::fmt::Display| Refusal::invalid(format!("{error}."));
        let lane = self.lane.as_deref().map(LaneId::new).transpose();
        let error = self.error.as_deref().map(ErrorFilter::parse).transpose();
        let names_some =
            self.lane.is_some() || self.error.is_some() || self.after.is_some() || self.before.is_some();
        if names_some == self.all {
            return Err(Refusal::invalid(
                "Say which dead letters are meant: by lane, error, after, before or several of them; or all of them, \
                 with all = true and none of these.",
            ));
        }
        Ok(ListFilter {
            tenant: Some(tenant),
            dead: true,
            lane: lane.map_err(|e| invalid(&e))?,
            error: error.map_err(|e| invalid(&e))?,
            ended_from: moment("after", self.after.as_deref())?,
            ended_before: moment("before", self.before.as_deref())?,
            ..ListFilter::default()
        })
    }

    fn limit(&self) -> Result<usize, Refusal> {
        match self.limit {
            None => Ok(BATCH),
            Some(limit @ 1..=LARGEST_BATCH) => Ok(usize::try_from(limit).unwrap_or(BATCH)),
            Some(limit) => Err(Refusal::invalid(format!(
                "limit is {limit}; allowed are 1 to {LARGEST_BATCH}."
            ))),
        }
    }
}

fn bad_cursor() -> Refusal {
    Refusal::invalid(
        "cursor is not one that this filter gave out: take next_cursor as it was, with the same filter, or leave it \
         out to begin again.",
    )
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let at = DateTime::parse_from_rfc3339(text)
        .ok()
        .and_then(|at| u64::try_from(at.timestamp_millis()).ok());
    at.map(Timestamp::from_millis).map(Some).ok_or_else(|| {
        Refusal::invalid(format!(
            "{name} is {:?}, which is no moment; give it as 2026-01-31T12:00:00Z (a + of an offset is written %2B in \
             a query).",
            quoted(text)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Result<Wish, Refusal> {
        Wish::of_body(text.as_bytes(), TenantId::default())
    }

    fn query(pairs: &[(&str, &str)]) -> Result<Wish, Refusal> {
        let pairs = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        Wish::of_query(pairs.collect(), TenantId::default())
    }

    #[test]
    fn a_body_and_a_query_say_the_same() {
        let wish = body(r#"{"lane":"main","error":"cut","after":"1970-01-01T00:00:01Z","limit":7}"#).unwrap();
        assert_eq!(wish.limit, 7);
        assert_eq!(wish.filter.ended_from, Some(Timestamp::from_millis(1_000)));
        assert!(wish.filter.dead);
        let pairs = [
            ("lane", "main"),
            ("error", "cut"),
            ("after", "1970-01-01T00:00:01Z"),
            ("limit", "7"),
        ];
        assert_eq!(query(&pairs).unwrap(), wish);
        assert_eq!(query(&[("all", "true")]), body(r#"{"all":true}"#));
    }

    #[test]
    fn nothing_is_taken_for_everything_and_mistakes_are_named() {
        for (text, says) in [
            ("{}", "all = true"),
            (r#"{"limit":5}"#, "all = true"),
            (r#"{"all":true,"lane":"main"}"#, "none of these"),
            (r#"{"all":1}"#, "all is a number"),
            (r#"{"lane":"main","limit":0}"#, "1 to 1000"),
            (r#"{"lane":"main","limit":1001}"#, "1 to 1000"),
            (r#"{"error":"oops"}"#, "internal"),
            (r#"{"before":"noon"}"#, "no moment"),
            (r#"{"lane":"main","cursor":"x"}"#, "next_cursor"),
            (r#"{"colour":"blue"}"#, "colour"),
            ("", "empty"),
        ] {
            let said = body(text).unwrap_err().to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
        for (pairs, says) in [
            (vec![], "all = true"),
            (vec![("all", "yes")], "all is a string"),
            (vec![("lane", "a"), ("lane", "b")], "twice"),
            (vec![("limit", "many"), ("lane", "a")], "limit is a string"),
        ] {
            let said = query(&pairs).unwrap_err().to_string();
            assert!(said.contains(says), "{pairs:?}: {said}");
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_filter() {
        let wish = body(r#"{"lane":"main"}"#).unwrap();
        let sealed = listing::seal("7", &wish.filter);
        let with = |start: &str| body(&format!(r#"{{{start},"cursor":"{sealed}"}}"#));
        assert_eq!(with(r#""lane":"main""#).unwrap().cursor.as_deref(), Some("7"));
        assert!(with(r#""lane":"small""#).is_err());
    }
}
