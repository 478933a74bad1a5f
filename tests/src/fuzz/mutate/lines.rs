//! Changes to a text of lines such as TOML: whole lines move, values change.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::raw;

const VALUES: [&str; 28] = [
    "\"\"",
    "\"x\"",
    "'x'",
    "\"\"\"a\nb\"\"\"",
    "0",
    "-1",
    "1",
    "1_000",
    "0x10",
    "1.5",
    "inf",
    "nan",
    "-inf",
    "1e400",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "true",
    "false",
    "[]",
    "[[]]",
    "[\"\"]",
    "{}",
    "{ a = 1 }",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "\"\\u0000\"",
    "\"\u{1f600}\"",
];

/// No line is made longer.
const LONGEST: usize = 1 << 19;

/// One change.
pub fn mutate(chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let mut lines: Vec<Vec<u8>> = input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let theirs: Vec<&[u8]> = other.split(|byte| *byte == b'\n').collect();
    let at = chance.random_range(0..lines.len());
    match chance.random_range(0..8) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines.insert(
            at,
            theirs
                .choose(chance)
                .map(|line| line.to_vec())
                .unwrap_or_default(),
        ),
        3 => {
            let to = chance.random_range(0..lines.len());
            lines.swap(at, to);
        }
        4 => raw::mutate(chance, &mut lines[at], other),
        5 => {
            let many = [10, 300][chance.random_range(0..2)].min(1 + LONGEST / (1 + lines[at].len()));
            lines[at] = lines[at].repeat(many);
        }
        _ => value(chance, &mut lines[at]),
    }
    *input = lines.join(&b'\n');
}

/// Another value behind the same name.
fn value(chance: &mut StdRng, line: &mut Vec<u8>) {
    let Some(at) = line.iter().position(|byte| *byte == b'=') else {
        return raw::mutate(chance, line, b"");
    };
    let value = VALUES.choose(chance).copied().unwrap_or_default();
    let long = "tell nobody of it ".repeat(300);
    line.truncate(at + 1);
    match chance.random_range(0..10) {
        0 => line.extend_from_slice(format!(" \"{long}\"").as_bytes()),
        1 => line.extend_from_slice(format!(" {}1{}", "[".repeat(200), "]".repeat(200)).as_bytes()),
        2 => line.extend_from_slice(format!(" [{value}, {value}]").as_bytes()),
        _ => line.extend_from_slice(format!(" {value}").as_bytes()),
    }
}
