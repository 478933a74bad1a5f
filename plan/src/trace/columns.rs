//! Which field of a row is what.

use super::fields;
use crate::workload::Row;
use csv::StringRecord;
use smoother_core::Tokens;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Seconds,
    Date,
    Input,
    Output,
    Tenant,
    Priority,
    MaxTokens,
    Timeout,
}

const NAMES: [(&str, Column); 11] = [
    ("t_s", Column::Seconds),
    ("TIMESTAMP", Column::Date),
    ("input_tokens", Column::Input),
    ("ContextTokens", Column::Input),
    ("output_tokens", Column::Output),
    ("GeneratedTokens", Column::Output),
    ("tenant", Column::Tenant),
    ("client_id", Column::Tenant),
    ("priority", Column::Priority),
    ("max_tokens", Column::MaxTokens),
    ("timeout_ms", Column::Timeout),
];

/// The columns of a file, by their place.
#[derive(Debug)]
pub(super) struct Columns(Vec<(&'static str, Column)>);

impl Columns {
    /// Out of the first line.
    pub(super) fn of(header: &StringRecord) -> Result<Self, String> {
        let mut columns: Vec<(&'static str, Column)> = Vec::new();
        for name in header {
            let name = name.trim_start_matches('\u{feff}');
            let Some(known) = NAMES.iter().find(|(known, _)| *known == name) else {
                return Err(format!("no column is called {name:?}; {}", forms()));
            };
            if let Some((same, _)) = columns.iter().find(|(_, column)| *column == known.1) {
                return Err(format!("the columns {same} and {name} say the same; {}", forms()));
            }
            columns.push(*known);
        }
        let has = |column| columns.iter().any(|(_, found)| *found == column);
        let missing = [
            (has(Column::Seconds) || has(Column::Date), "t_s (or TIMESTAMP)"),
            (has(Column::Input), "input_tokens (or ContextTokens)"),
            (has(Column::Output), "output_tokens (or GeneratedTokens)"),
        ];
        match missing.iter().find(|(there, _)| !there) {
            Some((_, name)) => Err(format!("the first line names no column {name}; {}", forms())),
            None if has(Column::Seconds) && has(Column::Date) => {
                Err("t_s and TIMESTAMP both say when; leave one of them out".to_owned())
            }
            None => Ok(Self(columns)),
        }
    }

    /// A row, or all that is wrong with it.
    pub(super) fn row(&self, record: &StringRecord) -> Result<Row, Vec<String>> {
        if record.len() != self.0.len() {
            let (found, named) = (record.len(), self.0.len());
            return Err(vec![format!(
                "it has {found} field(s), and the first line names {named}"
            )]);
        }
        let (mut row, mut wrong) = (fields::blank(), Vec::new());
        for ((name, column), text) in self.0.iter().zip(record) {
            if let Err(what) = set(&mut row, *column, text) {
                wrong.push(format!("{name} is {text:?}; {what}"));
            }
        }
        if wrong.is_empty() { Ok(row) } else { Err(wrong) }
    }
}

fn set(row: &mut Row, column: Column, text: &str) -> Result<(), String> {
    match column {
        Column::Seconds => row.at = fields::seconds(text)?,
        Column::Date => row.at = fields::date(text)?,
        Column::Input => row.input = Tokens::new(fields::count(text, 0)?),
        Column::Output => row.output = Tokens::new(fields::count(text, 0)?),
        Column::Tenant => row.tenant = fields::unless_empty(text, fields::tenant)?,
        Column::Priority => row.priority = fields::unless_empty(text, fields::priority)?,
        Column::MaxTokens => {
            row.max_tokens = fields::unless_empty(text, |text| fields::count(text, 1).map(Tokens::new))?;
        }
        Column::Timeout => row.timeout = fields::unless_empty(text, fields::millis)?,
    }
    Ok(())
}

fn forms() -> String {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    format!("known are {}", names.join(", "))
}
