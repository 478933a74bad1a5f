//! Settings as typed values, each checked by what the table says of its key.

use super::file;
use super::keys::{KEYS, Key, Kind, Preset};
use super::mistake::{Mistake, Source};
use super::settings::{Path, Setting, Settings, Value, dotted, readable};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Reads keys one by one and collects the mistakes it meets.
pub(super) struct Reader {
    pub(super) settings: Settings,
    mistakes: RefCell<Vec<Mistake>>,
    asked: RefCell<BTreeSet<&'static str>>,
}

/// A value that was understood, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) source: Source,
    pub(super) path: Path,
}

impl<T> Found<T> {
    pub(super) fn with<U>(self, value: U) -> Found<U> {
        Found {
            value,
            source: self.source,
            path: self.path,
        }
    }
}

impl Reader {
    pub(super) const fn new(settings: Settings, mistakes: Vec<Mistake>) -> Self {
        Self {
            settings,
            mistakes: RefCell::new(mistakes),
            asked: RefCell::new(BTreeSet::new()),
        }
    }

    /// Everything that was wrong.
    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes.into_inner()
    }

    /// The paths of the table that were asked for.
    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.borrow().clone()
    }

    pub(super) fn report(&self, source: &Source, key: String, what: &str) {
        self.mistakes.borrow_mut().push(Mistake::new(source, key, what));
    }

    /// Whether the key was set at all, understood or not.
    pub(super) fn is_set(&self, pattern: &str, name: &str) -> bool {
        path_of(pattern, Some(name)).is_some_and(|path| self.settings.values.contains_key(&path))
    }

    /// Reports that a needed key is nowhere; the place is its section's.
    pub(super) fn report_missing(&self, pattern: &str, name: &str) {
        let Some((key, path)) = key_of(pattern).zip(path_of(pattern, Some(name))) else {
            return;
        };
        self.missing(key, &path);
    }

    fn missing(&self, key: &Key, path: &Path) {
        let section = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
        let place = self
            .settings
            .sections
            .get(section)
            .cloned()
            .unwrap_or(Source::Default);
        self.report(&place, dotted(path), &format!("missing; needed: {}", key.kind));
    }

    /// Reports that a value is not what its key allows, or what `allowed` says besides.
    pub(super) fn refuse<T>(&self, found: &Found<T>, shown: &str, allowed: &str) {
        let what = format!("found {}; allowed: {allowed}", readable(shown));
        self.report(&found.source, dotted(&found.path), &what);
    }

    /// A whole number within the key's bounds.
    pub(super) fn number(&self, pattern: &str, name: Option<&str>) -> Option<u64> {
        let (key, found) = self.find(pattern, name)?;
        let number = match &found.value {
            Value::Number(number, _) => *number,
            Value::Raw(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        let fits =
            |n: &u64| matches!(key.kind, Kind::Number { least, most, .. } if (least..=most).contains(n));
        self.accept(
            key,
            &found,
            number.and_then(|n| u64::try_from(n).ok()).filter(fits),
        )
    }

    /// A whole number within the key's bounds, where the key's bounds lie within `u32`.
    pub(super) fn small(&self, pattern: &str, name: Option<&str>) -> Option<u32> {
        self.number(pattern, name).and_then(|n| u32::try_from(n).ok())
    }

    /// One of the key's words.
    pub(super) fn word(&self, pattern: &str, name: Option<&str>) -> Option<Found<&'static str>> {
        let (key, found) = self.find(pattern, name)?;
        let Kind::Word(words) = key.kind else {
            return None;
        };
        let word = text_of(&found.value).and_then(|text| words.iter().find(|word| **word == text).copied());
        self.accept(key, &found, word).map(|word| found.with(word))
    }

    /// A text that is not empty and passes `check`.
    pub(super) fn text(
        &self,
        pattern: &str,
        name: Option<&str>,
        check: impl Fn(&str) -> bool,
    ) -> Option<Found<String>> {
        let (key, found) = self.find(pattern, name)?;
        let text = text_of(&found.value)
            .filter(|text| !text.is_empty() && check(text))
            .map(str::to_owned);
        self.accept(key, &found, text).map(|text| found.with(text))
    }

    /// A list of texts, at least one.
    pub(super) fn texts(&self, pattern: &str, name: Option<&str>) -> Option<Found<Vec<String>>> {
        let (key, found) = self.find(pattern, name)?;
        let texts = match &found.value {
            Value::List(values) => all_texts(values),
            Value::Raw(text) if text.trim_start().starts_with('[') => {
                file::list(text).and_then(|values| all_texts(&values))
            }
            Value::Raw(text) => Some(text.split(',').map(|part| part.trim().to_owned()).collect()),
            _ => None,
        };
        let full = texts.filter(|texts| !texts.is_empty() && texts.iter().all(|text| !text.is_empty()));
        self.accept(key, &found, full).map(|texts| found.with(texts))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, pattern: &str, name: Option<&str>) -> Option<Found<bool>> {
        let (key, found) = self.find(pattern, name)?;
        let flag = match &found.value {
            Value::Flag(flag) => Some(*flag),
            Value::Raw(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        self.accept(key, &found, flag).map(|flag| found.with(flag))
    }

    fn accept<T>(&self, key: &Key, found: &Found<Value>, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.refuse(found, &found.value.shown(), &key.kind.to_string());
        }
        value
    }

    /// What was set for the key, or its default; `None` where it has none, which is reported if it is required.
    fn find(&self, pattern: &str, name: Option<&str>) -> Option<(&'static Key, Found<Value>)> {
        let (key, path) = (key_of(pattern)?, path_of(pattern, name)?);
        self.asked.borrow_mut().insert(key.path);
        if let Some(Setting { value, source }) = self.settings.values.get(&path).cloned() {
            return Some((key, Found { value, source, path }));
        }
        match key.preset {
            Preset::Value(text) => {
                let value = Value::Raw(text.to_owned());
                Some((
                    key,
                    Found {
                        value,
                        source: Source::Default,
                        path,
                    },
                ))
            }
            Preset::Depends(_) => None,
            Preset::Required => {
                self.missing(key, &path);
                None
            }
        }
    }
}

fn key_of(pattern: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == pattern)
}

/// The key's path with the user's name in it.
fn path_of(pattern: &str, name: Option<&str>) -> Option<Path> {
    let key = key_of(pattern)?;
    let part = |part: &str| {
        if part == "*" {
            name.unwrap_or(part).to_owned()
        } else {
            part.to_owned()
        }
    };
    Some(key.parts().map(part).collect())
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Raw(text) => Some(text.trim()),
        _ => None,
    }
}

fn all_texts(values: &[Value]) -> Option<Vec<String>> {
    values
        .iter()
        .map(|value| text_of(value).map(str::to_owned))
        .collect()
}
