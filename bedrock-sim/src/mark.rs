//! Marks: `[[sim out=300 fault=throttle]]` anywhere in a prompt fixes what is otherwise random.
//!
//! | key | meaning |
//! |---|---|
//! | `out` | output tokens (cut at the call's max_tokens, as a model is) |
//! | `in` | input tokens |
//! | `cache_read`, `cache_write` | input tokens read from and written to the prompt cache |
//! | `latency_ms` | milliseconds until the first token |
//! | `token_ms` | milliseconds for each output token |
//! | `prio` | name under which `/stats` counts this call |
//! | `id` | name under which `/calls` lists this call |
//! | `fault` | what goes wrong, see [`Fault`] |
//! | `at` | output tokens before a fault in the middle (half of them) |
//! | `times` | the fault strikes only the first so many calls of this `id` |
//! | `tool` | `1`: answer with a tool use, `0`: never |

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::fault::Fault;

static OPENING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("[[sim "));

/// The longest name a mark may give; names are kept in the statistics.
const MAX_NAME: usize = 128;

/// What a prompt fixes about its own call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// Output tokens.
    pub out: Option<u64>,
    /// Input tokens.
    pub input: Option<u64>,
    /// Input tokens read from the prompt cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to the prompt cache.
    pub cache_write: Option<u64>,
    /// Milliseconds until the first token.
    pub latency_ms: Option<f64>,
    /// Milliseconds for each output token.
    pub token_ms: Option<f64>,
    /// Priority, for the statistics.
    pub priority: Option<String>,
    /// The client's own id of this request, for the call log.
    pub id: Option<String>,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// Output tokens before a fault in the middle.
    pub at: Option<u64>,
    /// How many calls of this id the fault strikes.
    pub times: Option<u32>,
    /// Whether the answer is a tool use.
    pub tool: Option<bool>,
}

/// Reads every mark in `text` into `mark`; a later value replaces an earlier one.
///
/// # Errors
/// A mark with an unknown key or an unreadable value, named: a test that misspells a mark would
/// otherwise pass for the wrong reason.
pub(crate) fn read(text: &str, mark: &mut Option<Mark>) -> Result<(), String> {
    let mut rest = text;
    while let Some(start) = OPENING.find(rest.as_bytes()) {
        let inner = &rest[start + OPENING.needle().len()..];
        let end = inner.find("]]").ok_or("a [[sim mark is not closed by ]]")?;
        let mark = mark.get_or_insert_default();
        for setting in inner[..end].split_ascii_whitespace() {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("{setting:?} in a [[sim mark is not key=value"))?;
            set(mark, key, value).map_err(|problem| format!("{setting:?} in a [[sim mark: {problem}"))?;
        }
        rest = &inner[end..];
    }
    Ok(())
}

impl Mark {
    /// Takes over everything that a later mark says.
    pub(crate) fn extend(&mut self, later: Self) {
        fn replace<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        replace(&mut self.out, later.out);
        replace(&mut self.input, later.input);
        replace(&mut self.cache_read, later.cache_read);
        replace(&mut self.cache_write, later.cache_write);
        replace(&mut self.latency_ms, later.latency_ms);
        replace(&mut self.token_ms, later.token_ms);
        replace(&mut self.priority, later.priority);
        replace(&mut self.id, later.id);
        replace(&mut self.fault, later.fault);
        replace(&mut self.at, later.at);
        replace(&mut self.times, later.times);
        replace(&mut self.tool, later.tool);
    }
}

fn set(mark: &mut Mark, key: &str, value: &str) -> Result<(), String> {
    match key {
        "out" => mark.out = Some(number(value)?),
        "in" => mark.input = Some(number(value)?),
        "cache_read" => mark.cache_read = Some(number(value)?),
        "cache_write" => mark.cache_write = Some(number(value)?),
        "latency_ms" => mark.latency_ms = Some(number(value)?),
        "token_ms" => mark.token_ms = Some(number(value)?),
        "prio" => mark.priority = Some(name(value)?),
        "id" => mark.id = Some(name(value)?),
        "fault" => mark.fault = Some(value.parse()?),
        "at" => mark.at = Some(number(value)?),
        "times" => mark.times = Some(number(value)?),
        "tool" => mark.tool = Some(number::<u8>(value)? != 0),
        _ => return Err("no such key".to_owned()),
    }
    Ok(())
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, String> {
    value.parse().map_err(|_| "not a number".to_owned())
}

fn name(value: &str) -> Result<String, String> {
    if value.len() > MAX_NAME {
        return Err(format!("longer than {MAX_NAME} bytes"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mark(text: &str) -> Result<Option<Mark>, String> {
        let mut found = None;
        read(text, &mut found)?;
        Ok(found)
    }

    #[test]
    fn reads_every_key() {
        let found = mark(
            "Hi [[sim out=300 in=150 latency_ms=1.5 token_ms=2 prio=batch id=r-1 fault=cut-after at=3 times=1 \
             cache_read=10 cache_write=20 tool=1]] there",
        );
        let expected = Mark {
            out: Some(300),
            input: Some(150),
            cache_read: Some(10),
            cache_write: Some(20),
            latency_ms: Some(1.5),
            token_ms: Some(2.0),
            priority: Some("batch".to_owned()),
            id: Some("r-1".to_owned()),
            fault: Some(Fault::CutAfter),
            at: Some(3),
            times: Some(1),
            tool: Some(true),
        };
        assert_eq!(found.unwrap().unwrap(), expected);
    }

    #[test]
    fn later_marks_add_to_and_replace_earlier_ones() {
        let found = mark("[[sim out=1 prio=a]] and [[sim out=2]]").unwrap().unwrap();
        assert_eq!((found.out, found.priority.as_deref()), (Some(2), Some("a")));
    }

    #[test]
    fn text_without_a_mark_has_none_and_a_wrong_mark_is_named() {
        assert_eq!(mark("a [[simple]] list of [[things]]").unwrap(), None);
        assert_eq!(mark("nothing [[here]]").unwrap(), None);
        assert!(mark("[[sim oot=3]]").unwrap_err().contains("oot=3"));
        assert!(mark("[[sim out=x]]").unwrap_err().contains("not a number"));
        assert!(mark("[[sim out=3").unwrap_err().contains("not closed"));
    }
}
