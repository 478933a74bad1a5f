//! Traces of requests: files of comma-separated values whose first line names the columns, in any order.
//!
//! | column | also called | what |
//! |---|---|---|
//! | `t_s` | | seconds since any beginning, as a decimal number; or instead |
//! | `TIMESTAMP` | | a date and time, `2023-11-16 18:17:03.97996`, taken for UTC |
//! | `input_tokens` | `ContextTokens` | input tokens; required |
//! | `output_tokens` | `GeneratedTokens` | output tokens the model gave; required |
//! | `tenant` | `client_id` | whose request it is |
//! | `priority` | | interactive, normal or batch |
//! | `max_tokens` | | what its caller set |
//! | `timeout_ms` | | it had to be completed so long after it came |
//!
//! An empty field of the last four is one that the row does not say. So `TIMESTAMP,ContextTokens,GeneratedTokens`
//! (the public traces of Azure), `t_s,client_id,input_tokens,output_tokens` (what ServeGen's recipe generates) and
//! `t_s,tenant,priority,input_tokens,output_tokens,max_tokens,timeout_ms` are all read.
//!
//! A row that is wrong is never left out: the whole trace is refused, with every mistake and its line.

mod columns;
mod fields;
mod mistake;

pub use mistake::{Mistake, TraceErrors};

use crate::workload::Row;
use columns::Columns;
use csv::{ReaderBuilder, StringRecord, Trim};

/// The rows of a trace in the order of the file; `name` is for messages.
///
/// # Errors
/// Every mistake in it.
pub fn rows_of(name: &str, text: &[u8]) -> Result<Vec<Row>, TraceErrors> {
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text);
    let mut mistakes = Mistakes {
        name,
        found: Vec::new(),
    };
    let columns = match reader.headers() {
        Ok(header) => match Columns::of(header) {
            Ok(columns) => columns,
            Err(what) => return Err(mistakes.only(1, what)),
        },
        Err(error) => return Err(mistakes.only(1, unread(&error))),
    };
    let (mut rows, mut record) = (Vec::new(), StringRecord::new());
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let line = line_of(text, record.position());
                match columns.row(&record) {
                    Ok(row) => rows.push(row),
                    Err(wrong) => wrong.into_iter().for_each(|what| mistakes.add(line, what)),
                }
            }
            Err(error) => {
                let line = line_of(text, error.position());
                mistakes.add(line, unread(&error));
                // After bytes that are no text the next line can be read; after anything else nothing can.
                if !matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) {
                    break;
                }
            }
        }
    }
    if mistakes.found.is_empty() && rows.is_empty() {
        mistakes.add(1, "there is no row below the names of the columns".to_owned());
    }
    mistakes.none_or(rows)
}

/// The line at which a row stands: the reader counts from the empty lines before it.
fn line_of(text: &[u8], position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let empty = text
        .iter()
        .skip(at)
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + empty.filter(|byte| **byte == b'\n').count() as u64
}

fn unread(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { err, .. } => format!("it is no UTF-8 text: {err}"),
        _ => error.to_string(),
    }
}

struct Mistakes<'a> {
    name: &'a str,
    found: Vec<Mistake>,
}

impl Mistakes<'_> {
    fn add(&mut self, line: u64, what: String) {
        self.found.push(Mistake::new(self.name, line, what));
    }

    fn only(mut self, line: u64, what: String) -> TraceErrors {
        self.add(line, what);
        TraceErrors::of(self.found)
    }

    fn none_or(self, rows: Vec<Row>) -> Result<Vec<Row>, TraceErrors> {
        if self.found.is_empty() {
            Ok(rows)
        } else {
            Err(TraceErrors::of(self.found))
        }
    }
}

#[cfg(test)]
mod tests;
