//! An HTTP request as a text, `POST /path\nname: value\n\nbody`, and changes to each of its parts.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom};

use super::{json, raw};

/// The parts of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// `POST /path?query`.
    pub line: Vec<u8>,
    /// `name: value`.
    pub headers: Vec<Vec<u8>>,
    /// The rest.
    pub body: Vec<u8>,
}

impl Parts {
    /// Splits a text. What has no empty line has no body.
    pub fn of(input: &[u8]) -> Self {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&input[..end], &input[end + 2..]),
            None => (input, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        Self {
            line: lines.next().unwrap_or_default(),
            headers: lines.collect(),
            body: body.to_vec(),
        }
    }

    /// The text again.
    pub fn text(&self) -> Vec<u8> {
        let mut text = self.line.clone();
        for header in &self.headers {
            text.push(b'\n');
            text.extend_from_slice(header);
        }
        text.extend_from_slice(b"\n\n");
        text.extend_from_slice(&self.body);
        text
    }
}

const HEADERS: [&str; 17] = [
    "content-type",
    "accept",
    "x-smoother-priority",
    "x-smoother-timeout-ms",
    "x-smoother-max-wait-ms",
    "x-smoother-on-disconnect",
    "x-smoother-fallback",
    "x-smoother-lane",
    "idempotency-key",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "x-amzn-bedrock-service-tier",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-trace",
    "content-length",
    "transfer-encoding",
    "authorization",
];

const WORDS: [&str; 29] = [
    "",
    " ",
    "0",
    "-1",
    "1",
    "1.5",
    "60000",
    "99999999999999999999",
    "interactive",
    "batch",
    "Batch",
    "finish",
    "none",
    "none,none",
    "wide,other",
    ",,,",
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "*/*",
    "attempt=1; max=3",
    "attempt=3; max=1",
    "attempt=; max=",
    "attempt=99999999999999999999; max=-1",
    "ttl=20200101T000000Z; attempt=2; max=3",
    "8f1c0000-0000-4000-8000-000000000001",
    "key-1",
    "flex",
    "\u{e9}\u{1f600}",
];

const PIECES: [&str; 38] = [
    "/model/",
    "/converse",
    "/converse-stream",
    "/invoke",
    "/invoke-with-response-stream",
    "/count-tokens",
    "/v1/jobs",
    "/result",
    "/v1/lanes/",
    "/v1/models",
    "/guardrail/g/version/1/apply",
    "/healthz",
    "//",
    "/",
    "/%2e%2e/",
    "%00",
    "%ff",
    "%",
    "?",
    "?limit=",
    "&limit=1001",
    "&status=QUEUED,,failed",
    "&cursor=AAAA",
    "?wait_ms=-1",
    "&rev=18446744073709551616",
    "?limit=1&limit=1",
    "/v1/dlq",
    "/redrive",
    "/breaker",
    "{letter}",
    "?body=true",
    "?all=true",
    "&lane=frail",
    "&error=internal",
    "&after=2026-01-31T12:00:00Z",
    "&before=2100-01-01T00:00:00%2B14:00",
    "&before=-1",
    "0190a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b",
];

/// One change to one part.
pub fn mutate(chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let mut parts = Parts::of(input);
    match chance.random_range(0..10) {
        0 => line(chance, &mut parts.line),
        1 => path(chance, &mut parts.line),
        2 => drop(parts.headers.pop()),
        3 | 4 => header(chance, &mut parts.headers),
        5 => {
            if let Some(header) = parts.headers.choose_mut(chance) {
                raw::mutate(chance, header, other);
            }
        }
        6 => raw::mutate(chance, &mut parts.body, &Parts::of(other).body),
        _ => {
            if !json::mutate(chance, &mut parts.body) {
                raw::mutate(chance, &mut parts.body, &Parts::of(other).body);
            }
        }
    }
    *input = parts.text();
}

fn line(chance: &mut StdRng, line: &mut Vec<u8>) {
    const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"];
    if chance.random_bool(0.5) {
        return raw::mutate(chance, line, b"");
    }
    let target = line
        .split(|byte| *byte == b' ')
        .nth(1)
        .unwrap_or_default()
        .to_vec();
    let method = METHODS.choose(chance).copied().unwrap_or_default();
    *line = [method.as_bytes(), b" ", &target].concat();
}

fn path(chance: &mut StdRng, line: &mut Vec<u8>) {
    let piece = PIECES.choose(chance).copied().unwrap_or_default();
    let slashes: Vec<usize> = (0..line.len())
        .filter(|at| matches!(line[*at], b'/' | b'?' | b'&'))
        .collect();
    let at = slashes.choose(chance).copied().unwrap_or(line.len());
    match chance.random_range(0..4) {
        0 => line.extend_from_slice(piece.as_bytes()),
        1 => drop(line.splice(at.., piece.bytes())),
        2 => drop(line.splice(at..at, piece.bytes())),
        _ => {
            let end = slashes
                .iter()
                .find(|end| **end > at)
                .copied()
                .unwrap_or(line.len());
            drop(line.splice(at..end, piece.bytes()));
        }
    }
}

fn header(chance: &mut StdRng, headers: &mut Vec<Vec<u8>>) {
    let name = HEADERS.choose(chance).copied().unwrap_or_default();
    let word = WORDS.choose(chance).copied().unwrap_or_default();
    let value = match chance.random_range(0..6) {
        0 => word.repeat(40),
        1 => format!("{word},{word}"),
        _ => word.to_owned(),
    };
    if chance.random_bool(0.5) {
        headers.retain(|line| !line.starts_with(name.as_bytes()));
    }
    headers.push(format!("{name}: {value}").into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_parts() {
        let text = b"POST /x\na: b\nc: d\n\n{}\n\nmore";
        let parts = Parts::of(text);
        assert_eq!((parts.headers.len(), &parts.body[..]), (2, &b"{}\n\nmore"[..]));
        assert_eq!(parts.text(), text);
    }
}
