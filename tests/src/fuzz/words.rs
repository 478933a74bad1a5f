//! How a message to a caller must read.

use memchr::memmem;

use super::{Fault, Kind};

/// The longest message. One that lists the lanes and their models is among the longest.
const LONGEST: usize = 1_200;
/// So many characters of an input a message does not repeat: a quotation is 80 long.
const QUOTATION: usize = 96;
/// Words of Rust, its parsers and its types. A caller knows none of them.
const FOREIGN: [&str; 42] = [
    "serde",
    "struct ",
    "enum ",
    "tuple",
    "newtype",
    "variant",
    "Option<",
    "Vec<",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "Error {",
    "std::",
    "core::",
    "usize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "i32",
    "i64",
    "i128",
    "f64",
    "borrowed",
    "lifetime",
    "deserialize",
    "invalid type",
    "sequence",
    "ident",
    "panicked",
    "unwrap",
    "ParseInt",
    "Utf8Error",
    "stack",
    "recursion",
    "expected value",
    "unit value",
    "map key",
    "FromStr",
    "Display",
];

/// Judges a message by what it says and by the input it is about.
///
/// # Errors
/// It is empty, endless, in foreign words, or repeats the input.
pub fn judge(message: &str, input: &[u8]) -> Result<(), Fault> {
    if message.trim().is_empty() {
        return Err(Fault::new(Kind::Words, "the message is empty"));
    }
    if message.len() > LONGEST {
        let shown: String = message.chars().take(120).collect();
        let said = format!("a message of {} bytes: {shown}…", message.len());
        return Err(Fault::new(Kind::Echo, said));
    }
    if let Some(echo) = echo(message.as_bytes(), input) {
        let shown = String::from_utf8_lossy(echo).into_owned();
        return Err(Fault::new(Kind::Echo, format!("{message:?} repeats {shown:?}")));
    }
    foreign(message, input)
}

/// A piece of the input in the message that is longer than a quotation.
///
/// Such a piece covers one of the message's blocks of half that length; only around those is looked closer.
fn echo<'a>(message: &'a [u8], input: &[u8]) -> Option<&'a [u8]> {
    const BLOCK: usize = QUOTATION / 2;
    (0..message.len()).step_by(BLOCK).find_map(|at| {
        let block = message.get(at..at + BLOCK)?;
        memmem::find_iter(input, block).take(64).find_map(|found| {
            let before = message[..at].iter().rev().zip(input[..found].iter().rev());
            let after = message[at..].iter().zip(&input[found..]);
            let from = at - before.take_while(|(a, b)| a == b).count();
            let to = at + after.take_while(|(a, b)| a == b).count();
            let long = String::from_utf8_lossy(&message[from..to]).chars().count() >= QUOTATION;
            long.then(|| &message[from..to])
        })
    })
}

/// A word that the input may have brought itself is no fault of the message.
fn foreign(message: &str, input: &[u8]) -> Result<(), Fault> {
    for word in FOREIGN {
        if has_word(message, word) && !holds(input, word.as_bytes()) {
            return Err(Fault::new(Kind::Words, format!("{word:?} in {message:?}")));
        }
    }
    Ok(())
}

/// Whether `word` stands in the message and no letter before or after it makes another word of it.
fn has_word(message: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let bounded = word.chars().all(char::is_alphanumeric);
    message.match_indices(word).any(|(at, _)| {
        let (before, after) = (&message[..at], &message[at + word.len()..]);
        !bounded || !(letter(before.chars().next_back()) || letter(after.chars().next()))
    })
}

fn holds(input: &[u8], word: &[u8]) -> bool {
    input
        .windows(word.len())
        .any(|piece| piece.eq_ignore_ascii_case(word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_the_api_passes() {
        for said in [
            "messages.0.content is a string; it must be an array",
            "x-smoother-timeout-ms is \"soon\"; it must be a whole number of milliseconds from 1 to 86400000.",
            "No job has the id 0190; it may have passed its retention. GET /v1/jobs lists those there are.",
            "The structure of the identifier is tuplet-like.",
        ] {
            judge(said, b"{}").unwrap();
        }
    }

    #[test]
    fn foreign_words_endless_ones_and_echoes_are_found() {
        let prompt = "tell nobody ".repeat(20);
        let kind = |said: &str| judge(said, prompt.as_bytes()).unwrap_err().kind;
        assert_eq!(kind("invalid type: sequence, expected struct View"), Kind::Words);
        assert_eq!(kind("called on a None value"), Kind::Words);
        assert_eq!(kind("  "), Kind::Words);
        assert_eq!(kind(&format!("cannot read {prompt}")), Kind::Echo);
        assert_eq!(kind(&"x".repeat(5_000)), Kind::Echo);
        judge(&format!("cannot read {:?}", &prompt[..80]), prompt.as_bytes()).unwrap();
        judge("\"usize\" is no field here", b"{\"usize\": 1}").unwrap();
    }
}
