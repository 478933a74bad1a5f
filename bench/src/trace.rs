//! Recorded traces: when calls came and how long they were, without what was said.
//!
//! Two forms of columns are read, told apart by the first line: `TIMESTAMP,ContextTokens,GeneratedTokens` (times of day,
//! one caller) and `t_s,client_id,input_tokens,output_tokens` (seconds, many callers).

use std::path::Path;

use anyhow::{Context, bail};
use chrono::NaiveDateTime;

/// One recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// When it came, in microseconds after the first.
    pub at_us: u64,
    /// Whose it is; empty where the trace has one caller.
    pub tenant: String,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
}

/// Reads so many minutes of a trace from its beginning.
///
/// # Errors
/// The file cannot be read, has other columns, or nothing in that time.
pub fn read(path: &Path, minutes: u64) -> anyhow::Result<Vec<Row>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut rows = parse(&text).with_context(|| path.display().to_string())?;
    rows.retain(|row| row.at_us < minutes * 60_000_000);
    if rows.is_empty() {
        bail!("{} has no call within {minutes} minutes", path.display());
    }
    Ok(rows)
}

fn parse(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut lines = text.lines();
    let row: fn(&[&str]) -> Option<(i64, Row)> = match lines.next().map(str::trim) {
        Some("TIMESTAMP,ContextTokens,GeneratedTokens") => of_times,
        Some("t_s,client_id,input_tokens,output_tokens") => of_seconds,
        other => bail!("its first line {other:?} is none of the forms that are read"),
    };
    let mut rows = lines
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let cells: Vec<&str> = line.trim().split(',').collect();
            row(&cells)
                .with_context(|| format!("line {}: {line:?} is not of its first line's form", number + 2))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    rows.sort_by_key(|(at, _)| *at);
    let first = rows.first().map_or(0, |(at, _)| *at);
    Ok(rows
        .into_iter()
        .map(|(at, row)| Row {
            at_us: u64::try_from(at - first).unwrap_or_default(),
            ..row
        })
        .collect())
}

fn of_times(cells: &[&str]) -> Option<(i64, Row)> {
    let [at, input, output] = cells else {
        return None;
    };
    let at = NaiveDateTime::parse_from_str(at, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some((at.and_utc().timestamp_micros(), counted("", input, output)?))
}

#[allow(clippy::cast_possible_truncation)] // Microseconds of a trace.
fn of_seconds(cells: &[&str]) -> Option<(i64, Row)> {
    let [at, tenant, input, output] = cells else {
        return None;
    };
    let seconds: f64 = at.parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
    Some(((seconds * 1e6) as i64, counted(tenant, input, output)?))
}

/// A call has at least one token each way.
fn counted(tenant: &str, input: &str, output: &str) -> Option<Row> {
    Some(Row {
        at_us: 0,
        tenant: tenant.to_owned(),
        input_tokens: input.parse::<u64>().ok()?.max(1),
        output_tokens: output.parse::<u64>().ok()?.max(1),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn row(at_us: u64, tenant: &str, input_tokens: u64, output_tokens: u64) -> Row {
        Row {
            at_us,
            tenant: tenant.to_owned(),
            input_tokens,
            output_tokens,
        }
    }

    #[test]
    fn both_forms_are_read_in_order_of_time_from_the_first_call() {
        let times = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                     2023-11-16 18:15:47.5000000,10,0\n2023-11-16 18:15:46.0000000,374,44\n";
        assert_eq!(
            parse(times).unwrap(),
            [row(0, "", 374, 44), row(1_500_000, "", 10, 1)]
        );
        let seconds = "t_s,client_id,input_tokens,output_tokens\n2.0,7,100,5\n2.25,a,200,6\n";
        assert_eq!(
            parse(seconds).unwrap(),
            [row(0, "7", 100, 5), row(250_000, "a", 200, 6)]
        );
    }

    #[test]
    fn another_form_is_refused_with_its_line() {
        assert!(parse("time,tokens\n1,2\n").is_err());
        let wrong = parse("t_s,client_id,input_tokens,output_tokens\n1,a,2,3\n1,a,many,3\n");
        assert!(wrong.unwrap_err().to_string().starts_with("line 3"));
    }
}
