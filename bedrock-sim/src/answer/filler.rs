//! The text that the simulator generates: one word of four characters a token, so that the estimate
//! of input tokens is right for generated text too. Letters and spaces only: no JSON escapes.

use std::sync::LazyLock;

use crate::hash::mix;

/// Tokens of text that are prepared; longer answers repeat them.
const PREPARED: usize = 8_192;
/// Characters of a token.
const WIDTH: usize = 4;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
    const VOWELS: &[u8] = b"aeiou";
    let pick = |letters: &[u8], bits: u64| {
        let index = usize::try_from(bits % letters.len() as u64).unwrap_or(0);
        char::from(letters[index])
    };
    (0..PREPARED as u64)
        .flat_map(|word| {
            let bits = mix(word);
            [
                pick(CONSONANTS, bits),
                pick(VOWELS, bits >> 16),
                pick(CONSONANTS, bits >> 32),
                ' ',
            ]
        })
        .collect()
});

/// Appends the tokens `from..to` of the text that begins where `hash` says.
pub(crate) fn append(out: &mut Vec<u8>, hash: u64, from: u64, to: u64) {
    let prepared = PREPARED as u64;
    let mut at = from;
    while at < to {
        let offset = (hash % prepared + at) % prepared;
        let tokens = (to - at).min(prepared - offset);
        let first = usize::try_from(offset).unwrap_or(0) * WIDTH;
        let length = usize::try_from(tokens).unwrap_or(0) * WIDTH;
        out.extend_from_slice(&TEXT.as_bytes()[first..first + length]);
        at += tokens;
    }
}

/// About `chars` characters of text, a million at most.
pub(crate) fn words(chars: u64) -> String {
    let chars = usize::try_from(chars.min(1_000_000)).unwrap_or(0);
    TEXT.chars().cycle().take(chars).collect()
}
