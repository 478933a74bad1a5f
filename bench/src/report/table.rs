//! Tables, and figures as they stand in them.

use serde::{Deserialize, Serialize};

/// A table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// What a reader must know beside the figures.
    pub notes: Vec<String>,
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

    /// Notes without a table.
    pub fn notes_only(notes: Vec<String>) -> Self {
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
            text += &format!("\n{note}\n");
        }
        text
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
