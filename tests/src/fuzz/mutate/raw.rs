//! Changes that know nothing of the input's form.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Pieces on which readers of text have failed before.
const TOKENS: [&[u8]; 26] = [
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\n\n",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"%00",
    b"%ff",
    b"%2F",
    b"..",
    b"{",
    b"}",
    b"[[[[[[[[",
    b",",
    b"=",
    b"1e999",
    b"-1",
    b"18446744073709551616",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x98\x80",
];

/// One change.
pub fn mutate(chance: &mut StdRng, input: &mut Vec<u8>, other: &[u8]) {
    if input.is_empty() {
        input.extend_from_slice(token(chance));
        return;
    }
    let at = chance.random_range(0..input.len());
    match chance.random_range(0..9) {
        0 => input[at] ^= 1 << chance.random_range(0..8),
        1 => input[at] = chance.random(),
        2 => drop(input.splice(at..at, token(chance).iter().copied())),
        3 => drop(input.drain(piece(chance, input.len()))),
        4 => {
            let again = input[piece(chance, input.len())].to_vec();
            drop(input.splice(at..at, again));
        }
        5 => input.truncate(at),
        6 => {
            let place = piece(chance, input.len());
            drop(input.splice(place, token(chance).iter().copied()));
        }
        7 if !other.is_empty() => {
            let from = other[piece(chance, other.len())].to_vec();
            let place = piece(chance, input.len());
            drop(input.splice(place, from));
        }
        _ => {
            let many = usize::pow(10, chance.random_range(1..5));
            let byte = input[at];
            drop(input.splice(at..at, std::iter::repeat_n(byte, many)));
        }
    }
}

/// A piece to put in.
pub fn token(chance: &mut StdRng) -> &'static [u8] {
    TOKENS.choose(chance).copied().unwrap_or_default()
}

/// A place of at most 64 bytes within `length`, which is not 0.
fn piece(chance: &mut StdRng, length: usize) -> std::ops::Range<usize> {
    let from = chance.random_range(0..length);
    let most = (length - from).min(64);
    from..from + chance.random_range(1..=most)
}
