//! Changes to an upstream's answer as a text.

use rand::Rng;
use rand::rngs::StdRng;
use smoother_core::Operation;

use super::http::Parts;
use super::{frames, json, raw};

/// One change.
pub fn mutate(chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    let mut parts = Parts::of(input);
    let theirs = Parts::of(other);
    match chance.random_range(0..12) {
        0 => {
            let operation = Operation::ALL[chance.random_range(0..4)];
            parts.line = operation.as_str().as_bytes().to_vec();
        }
        1 => {
            const STATUS: [&str; 12] = [
                "200", "201", "204", "206", "304", "400", "403", "404", "424", "429", "500", "999",
            ];
            let status = STATUS[chance.random_range(0..STATUS.len())];
            parts
                .headers
                .splice(..1.min(parts.headers.len()), [status.as_bytes().to_vec()]);
        }
        2 => {
            let ending = [&b"cut"[..], b"hang"][chance.random_range(0..2)];
            parts.headers.insert(1.min(parts.headers.len()), ending.to_vec());
        }
        3 => parts.headers.extend(theirs.headers.into_iter().skip(1)),
        4 if parts.headers.len() > 1 => {
            let at = chance.random_range(1..parts.headers.len());
            raw::mutate(chance, &mut parts.headers[at], &theirs.body);
        }
        5 => raw::mutate(chance, &mut parts.body, &theirs.body),
        _ => {
            if !json::mutate(chance, &mut parts.body) {
                frames::mutate(chance, &mut parts.body, &theirs.body);
            }
        }
    }
    *input = parts.text();
}
