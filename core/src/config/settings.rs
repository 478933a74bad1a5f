//! What was set, by file or environment, before it is understood.

use super::keys::{KEYS, Key};
use super::mistake::{Mistake, Source};
use super::suggest::nearest;
use crate::quoted;
use std::collections::BTreeMap;

/// A value as it was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// `None` where it fits no machine number; the text shows what was written.
    Number(Option<i128>, String),
    Flag(bool),
    List(Vec<Value>),
    /// An environment variable's text or a default's: its key says how it is to be read.
    Raw(String),
    /// What no key takes: a float, a date, a table.
    Other(String),
}

impl Value {
    /// The value as a mistake shows it, cut to a readable length.
    pub(super) fn shown(&self) -> String {
        let text = match self {
            Self::Text(text) | Self::Raw(text) => format!("{text:?}"),
            Self::Number(_, text) | Self::Other(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(values) => {
                let shown: Vec<String> = values.iter().take(8).map(Self::shown).collect();
                format!("[{}]", shown.join(", "))
            }
        };
        readable(&text)
    }
}

/// What was found, cut to a readable length.
pub(super) fn readable(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) source: Source,
}

/// A key's path, the user's names included.
pub(super) type Path = Vec<String>;

/// A path as it is written: names that are no bare TOML keys in quotes.
pub(super) fn dotted(path: &[String]) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let parts: Vec<String> = path
        .iter()
        .map(|part| {
            let part = quoted(part);
            if !part.is_empty() && part.chars().all(bare) {
                part
            } else {
                format!("{part:?}")
            }
        })
        .collect();
    parts.join(".")
}

/// Everything that was set.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) values: BTreeMap<Path, Setting>,
    /// Sections that occur, even empty ones, with their place.
    pub(super) sections: BTreeMap<Path, Source>,
}

/// Whether a path leads to a key, to a section, or nowhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Leads {
    ToKey,
    ToSection,
    Nowhere,
}

fn matches(key: &Key, path: &[String]) -> bool {
    let mut parts = key.parts();
    path.iter()
        .all(|part| parts.next().is_some_and(|known| known == "*" || known == part))
}

/// Where `path` leads by the table of keys.
pub(super) fn leads(path: &[String]) -> Leads {
    let lengths: Vec<usize> = KEYS
        .iter()
        .filter(|key| matches(key, path))
        .map(|key| key.parts().count())
        .collect();
    if lengths.is_empty() {
        Leads::Nowhere
    } else if lengths.contains(&path.len()) {
        Leads::ToKey
    } else {
        Leads::ToSection
    }
}

/// The mistake of a path that leads nowhere, with the name that was probably meant.
pub(super) fn unknown(path: &[String], source: &Source) -> Mistake {
    let known_until = (0..path.len())
        .rev()
        .find(|n| leads(&path[..*n]) == Leads::ToSection)
        .unwrap_or(0);
    let mut known: Vec<&str> = KEYS
        .iter()
        .filter(|key| matches(key, &path[..known_until]))
        .filter_map(|key| key.parts().nth(known_until))
        .filter(|part| *part != "*")
        .collect();
    known.dedup();
    let found = path.get(known_until).map_or("", String::as_str);
    let hint = match nearest(found, &known) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => "no key has parts of its own".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    };
    Mistake::new(source, dotted(path), &format!("unknown key; {hint}"))
}
