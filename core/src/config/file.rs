//! The file's text as settings.

use super::mistake::{Mistake, Source};
use super::settings::{Leads, Path, Setting, Settings, Value, dotted, leads, unknown};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is no TOML can be wrong at every letter; more than these say nothing.
const MOST_SYNTAX: usize = 20;

/// Reads the text of the file `name`. Where its syntax is broken, only that is reported: what a half-understood
/// file seems to lack says nothing.
pub(super) fn read(name: &str, text: &str) -> Result<(Settings, Vec<Mistake>), Vec<Mistake>> {
    let lines = Lines::of(name, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let mistake = |error: toml::de::Error| {
            let place = lines.at(error.span().unwrap_or(0..0));
            Mistake::new(&place, "", &format!("not TOML: {}", error.message()))
        };
        return Err(errors.into_iter().take(MOST_SYNTAX).map(mistake).collect());
    }
    let mut reading = Reading {
        lines,
        settings: Settings::default(),
        mistakes: Vec::new(),
    };
    reading.table(&mut Path::new(), table.get_ref());
    Ok((reading.settings, reading.mistakes))
}

struct Lines<'a> {
    name: &'a str,
    /// Where each line ends, in bytes: a file with a mistake in every line is not read anew for each.
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(name: &'a str, text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self {
            name,
            ends: ends.map(|(at, _)| at).collect(),
        }
    }

    fn at(&self, span: Range<usize>) -> Source {
        Source::File {
            name: self.name.to_owned(),
            line: 1 + self.ends.partition_point(|end| *end < span.start),
        }
    }
}

struct Reading<'a> {
    lines: Lines<'a>,
    settings: Settings,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn table(&mut self, path: &mut Path, table: &DeTable<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            let source = self.lines.at(key.span());
            match (leads(path), value.get_ref()) {
                (Leads::ToKey, _) => self.set(path.clone(), value, source),
                (Leads::ToSection, DeValue::Table(inner)) => {
                    self.settings.sections.insert(path.clone(), source);
                    self.table(path, inner);
                }
                (Leads::ToSection, other) => {
                    let found = value_of(other).shown();
                    let what = format!("found {found}; allowed: a section, [{}]", dotted(path));
                    self.mistakes.push(Mistake::new(&source, dotted(path), &what));
                }
                (Leads::Nowhere, _) => self.mistakes.push(unknown(path, &source)),
            }
            path.pop();
        }
    }

    fn set(&mut self, path: Path, value: &Spanned<DeValue<'_>>, source: Source) {
        let value = value_of(value.get_ref());
        self.settings.values.insert(path, Setting { value, source });
    }
}

/// A list in TOML's syntax, as an environment variable may hold one.
pub(super) fn list(text: &str) -> Option<Vec<Value>> {
    let document = format!("list = {text}");
    let table = DeTable::parse(&document).ok()?;
    match table.get_ref().get("list").map(|value| value_of(value.get_ref())) {
        Some(Value::List(values)) if table.get_ref().len() == 1 => Some(values),
        _ => None,
    }
}

fn value_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Number(
            i128::from_str_radix(number.as_str(), number.radix()).ok(),
            number.to_string(),
        ),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Array(values) => Value::List(values.iter().map(|v| value_of(v.get_ref())).collect()),
        DeValue::Float(number) => Value::Other(number.to_string()),
        DeValue::Datetime(moment) => Value::Other(moment.to_string()),
        DeValue::Table(_) => Value::Other("a section".to_owned()),
    }
}
