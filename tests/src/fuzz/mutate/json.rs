//! Changes to a JSON text that leave most of it as it is: what is read field by field fails field by field.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;

/// Stands for a value until the text is written; no corpus holds it.
const HOLE: &str = "\u{1}hole\u{1}";

/// Values as they are written, most of them wrong wherever they stand.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1",
    "1.5",
    "1e3",
    "1e999",
    "-1e999",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999",
    "NaN",
    "01",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"a\\nb\"",
    "\"\u{7}\"",
    "\"1\"",
    "[]",
    "[[]]",
    "[null]",
    "{}",
    "{\"\":{}}",
    "{\"text\":7}",
    "[{\"text\":\"x\"}]",
    "\"converse\"",
];

/// One change; `false` where the input is no JSON to begin with.
pub fn mutate(chance: &mut StdRng, input: &mut Vec<u8>) -> bool {
    let Ok(mut tree) = serde_json::from_slice::<Value>(input) else {
        return false;
    };
    let places = count(&tree);
    let chosen = chance.random_range(0..places);
    let Some(value) = nth(&mut tree, &mut { chosen }) else {
        return false;
    };
    let old = value.clone();
    *value = Value::String(HOLE.to_owned());
    let text = tree.to_string();
    let hole = Value::String(HOLE.to_owned()).to_string();
    let filling = filling(chance, &old);
    let Some((before, after)) = text.split_once(&hole) else {
        return false;
    };
    *input = [before.as_bytes(), &filling, after.as_bytes()].concat();
    true
}

/// What stands in the place of `old`: it may bring a further member of the object or array around it.
fn filling(chance: &mut StdRng, old: &Value) -> Vec<u8> {
    let value = VALUES.choose(chance).copied().unwrap_or("null");
    let kept = old.to_string();
    match chance.random_range(0..12) {
        0 => deep(chance).into_bytes(),
        1 => long(chance).into_bytes(),
        2 => [b"\"", super::raw::token(chance), b"\""].concat(),
        // Twice, or one more beside it: in an array an element, in an object a field.
        3 => format!("{kept},{kept}").into_bytes(),
        4 => format!("{kept},\"{}\":{value}", field(chance)).into_bytes(),
        5 => format!("[{kept}]").into_bytes(),
        6 => format!("{{\"{}\":{kept}}}", field(chance)).into_bytes(),
        7 => b"".to_vec(),
        _ => value.as_bytes().to_vec(),
    }
}

/// Names of fields that some reader knows.
fn field(chance: &mut StdRng) -> &'static str {
    const NAMES: [&str; 31] = [
        "messages",
        "content",
        "role",
        "text",
        "system",
        "inferenceConfig",
        "maxTokens",
        "max_tokens",
        "model",
        "operation",
        "body",
        "prompt",
        "priority",
        "timeout_ms",
        "idempotency_key",
        "fallback",
        "toolConfig",
        "image",
        "source",
        "bytes",
        "serviceTier",
        "requestMetadata",
        "anthropic_version",
        "usize",
        "all",
        "lane",
        "error",
        "before",
        "limit",
        "cursor",
        "state",
    ];
    NAMES.choose(chance).copied().unwrap_or_default()
}

fn deep(chance: &mut StdRng) -> String {
    let depth = [60, 126, 127, 128, 129, 5_000][chance.random_range(0..6)];
    match chance.random_range(0..3) {
        0 => format!("{}1{}", "[".repeat(depth), "]".repeat(depth)),
        1 => format!("{}1{}", "{\"text\":".repeat(depth), "}".repeat(depth)),
        _ => "[".repeat(depth),
    }
}

fn long(chance: &mut StdRng) -> String {
    let length = [300, 70_000, 400_000][chance.random_range(0..3)];
    match chance.random_range(0..4) {
        0 => format!("\"{}\"", "tell nobody of it ".repeat(length / 18)),
        1 => "7".repeat(length),
        2 => format!("[{}1]", "1,".repeat(length / 2)),
        _ => format!("\"{}\"", "\u{1f600}é ".repeat(length / 7)),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, left)),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn every_place_is_reached_and_the_rest_stays() {
        let mut chance = StdRng::seed_from_u64(1);
        let seed = br#"{"a":[1,{"b":"x"}],"c":null}"#;
        let (mut made, mut valid) = (BTreeSet::new(), 0);
        for _ in 0..3_000 {
            let mut input = seed.to_vec();
            assert!(mutate(&mut chance, &mut input));
            valid += usize::from(serde_json::from_slice::<Value>(&input).is_ok());
            made.insert(input);
        }
        for place in ["{\"a\":-1,", "{\"a\":[-1,", "{\"b\":-1}", "\"c\":-1}"] {
            let reached = made
                .iter()
                .any(|input| String::from_utf8_lossy(input).contains(place));
            assert!(reached, "{place}");
        }
        assert!(valid > 1_000, "most mutations are still JSON: {valid}");
        assert!(!mutate(&mut chance, &mut b"{".to_vec()));
    }
}
