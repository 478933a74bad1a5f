//! Tables, and figures as they stand in them.

use serde::{Deserialize, Serialize};

/// A table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Whether rows of one second column stand together.
    #[serde(default)]
    grouped: bool,
    /// What a reader must know beside the figures.
    pub notes: Vec<Note>,
}

/// What a reader must know beside the figures, of a target or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The target's title; none: of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    text: String,
}

impl Note {
    /// Of a target, whose title it begins with.
    pub fn of(target: &str, text: &str) -> Self {
        Self {
            target: Some(target.to_owned()),
            text: format!("{target}{text}"),
        }
    }

    /// Of all.
    pub fn of_all(text: String) -> Self {
        Self { target: None, text }
    }
}

impl Table {
    /// A table with these columns.
    pub fn new<const N: usize>(header: [&str; N]) -> Self {
        Self {
            header: header.map(str::to_owned).to_vec(),
            ..Self::default()
        }
    }

    /// A table with as many columns as it turns out to need.
    pub fn of(header: Vec<String>) -> Self {
        Self {
            header,
            ..Self::default()
        }
    }

    /// The same table, in which rows of one second column stand together.
    #[must_use]
    pub fn grouped(self) -> Self {
        Self {
            grouped: true,
            ..self
        }
    }

    /// Notes without a table.
    pub fn notes_only(notes: Vec<Note>) -> Self {
        Self {
            notes,
            ..Self::default()
        }
    }

    /// Adds a row to a table made by [`Self::of`].
    pub fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: impl Into<[String; N]>) {
        self.rows.push(cells.into().to_vec());
    }

    /// In Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = String::new();
        if !self.header.is_empty() {
            text += &line(&self.header);
            // The first column names, the others count.
            let ruler: Vec<String> = (0..self.header.len())
                .map(|column| if column == 0 { "---" } else { "---:" }.to_owned())
                .collect();
            text += &line(&ruler);
            text.extend(self.rows.iter().map(|row| line(row)));
        }
        for note in &self.notes {
            text += &format!("\n{}\n", note.text);
        }
        text
    }

    /// Whether its columns are the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.header == other.header
    }

    /// Its columns and what is of all, without any row.
    pub(super) fn emptied(&self) -> Self {
        let mut notes = self.notes.clone();
        notes.retain(|note| note.target.is_none());
        Self {
            header: self.header.clone(),
            grouped: self.grouped,
            rows: Vec::new(),
            notes,
        }
    }

    /// Takes the rows and notes of an earlier table's targets that `is_old` names beside its own: by groups, in the order
    /// in which they came up here, then by targets, in the order of `titles`, behind the rows that are of none.
    pub(super) fn join(&mut self, before: Self, is_old: impl Fn(&str) -> bool, titles: &[String]) {
        let mut groups: Vec<String> = Vec::new();
        let rows = self.rows.iter().chain(&before.rows);
        for group in rows.filter_map(|row| row.get(1)) {
            if self.grouped && !groups.contains(group) {
                groups.push(group.clone());
            }
        }
        let old = before.rows.into_iter();
        self.rows
            .extend(old.filter(|row| row.first().is_some_and(|title| is_old(title))));
        let place = |all: &[String], each: Option<&String>| all.iter().position(|one| Some(one) == each);
        self.rows
            .sort_by_key(|row| (place(&groups, row.get(1)), place(titles, row.first())));
        let of_old = |note: &Note| note.target.as_deref().is_some_and(&is_old);
        self.notes
            .extend(before.notes.into_iter().filter(|note| of_old(note)));
        let place = |note: &Note| {
            titles
                .iter()
                .position(|title| Some(title) == note.target.as_ref())
        };
        self.notes.sort_by_key(place);
    }
}

/// A figure with so many decimals; a dash where there is none, and a word where it has no end.
pub fn figure(value: Option<f64>, decimals: usize) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.is_infinite() => "never".to_owned(),
        Some(value) => format!("{value:.decimals$}"),
    }
}

/// Milliseconds, to the hundredth.
pub fn millis(value: Option<f64>) -> String {
    figure(value, 2)
}

/// A share in per cent.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Bytes in megabytes (10⁶).
pub fn megabytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str, &str)]) -> Table {
        let mut table = Table::new(["target", "limiter", "calls"]).grouped();
        for (target, limiter, calls) in rows {
            table.row([target, limiter, calls].map(|cell| (*cell).to_owned()));
        }
        table
    }

    #[test]
    fn rows_of_other_targets_stay_in_their_groups_and_order() {
        let titles = ["a", "b", "c"].map(str::to_owned);
        let mut now = table(&[
            ("bound", "x", "1"),
            ("b", "x", "1"),
            ("bound", "y", "1"),
            ("b", "y", "1"),
        ]);
        now.notes.push(Note::of("b", ": new"));
        let mut before = table(&[
            ("bound", "x", "0"),
            ("a", "x", "0"),
            ("b", "x", "0"),
            ("bound", "y", "0"),
            ("c", "y", "0"),
        ]);
        before.notes = vec![
            Note::of_all("of all".to_owned()),
            Note::of("a", ": kept"),
            Note::of("b", ": old"),
        ];
        now.join(before, |title| title == "a" || title == "c", &titles);
        let wanted = table(&[
            ("bound", "x", "1"),
            ("a", "x", "0"),
            ("b", "x", "1"),
            ("bound", "y", "1"),
            ("b", "y", "1"),
            ("c", "y", "0"),
        ]);
        assert_eq!(now.rows, wanted.rows);
        assert_eq!(now.notes, [Note::of("a", ": kept"), Note::of("b", ": new")]);
    }
}
