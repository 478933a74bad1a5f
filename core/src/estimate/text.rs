//! Tokens of a text, from the classes of its characters.
//!
//! Tokenizers differ between models and are mostly not published. Anthropic speaks of about 3.5 English
//! characters a token (docs.anthropic.com, glossary), scripts other than Latin take up to a token or more for
//! each character, and strings without words (keys, hashes, base64) break into short pieces. One pass adds a weight
//! for each character; a model's own tokenizer is learned on top of it by the corrector.

use crate::units::Tokens;

/// Weights are thousandths of a token.
const TOKEN: u64 = 1_000;
/// Letters and digits in one run after which it is taken for data, not for a word.
const LONGEST_WORD: u32 = 24;
/// Each further character of such a run.
const DATA: u64 = 600;
/// How often one character stands in a row before it is taken for a line drawn, padding or filler. Tokenizers have
/// pieces for such rows, of 8, 16 and more characters each.
const LONGEST_ROW: u32 = 16;
/// Each further character of such a row, at most.
const ROW: u64 = 150;

/// Weights of the characters below 128.
const ASCII: [u16; 128] = {
    let mut weights = [0u16; 128];
    let mut byte = 0u8;
    while byte < 128 {
        weights[byte as usize] = match byte {
            b'a'..=b'z' => 280,
            b'A'..=b'Z' => 350,
            b'0'..=b'9' => 400,
            b' ' => 150,
            b'\n' | b'\t' | b'\r' => 300,
            33..=126 => 600,
            _ => 1_000,
        };
        byte += 1;
    }
    weights
};

/// About how many tokens the text has; 0 only for the empty text.
///
/// Never more than its bytes, never less than 15 % of them, and never less than for any part of it.
pub fn estimate_text(text: &str) -> Tokens {
    let mut sum = 0u64;
    let (mut run, mut row) = (0u32, 0u32);
    let mut last = None;
    for c in text.chars() {
        run = if c.is_ascii_alphanumeric() {
            run.saturating_add(1)
        } else {
            0
        };
        row = if last == Some(c) { row.saturating_add(1) } else { 1 };
        last = Some(c);
        sum = sum.saturating_add(match weight(c) {
            weight if row > LONGEST_ROW && c.is_ascii() => weight.min(ROW),
            _ if run > LONGEST_WORD => DATA,
            weight => weight,
        });
    }
    Tokens::new(sum.div_ceil(TOKEN))
}

fn weight(c: char) -> u64 {
    match u32::from(c) {
        code @ 0..=0x7f => ASCII.get(code as usize).copied().map_or(TOKEN, u64::from),
        // Latin with marks.
        0x80..=0x24f => 600,
        // Greek, Cyrillic, Armenian, Hebrew, Arabic.
        0x250..=0x77f => 550,
        // Indic, Thai, Georgian, Hangul letters, Ethiopic and other scripts of three bytes.
        0x780..=0x1fff => 1_000,
        // Typographic punctuation, arrows, mathematics, box drawing.
        0x2000..=0x2e7f => 1_000,
        // Chinese, Japanese, Korean.
        0x2e80..=0xd7ff => 1_000,
        // Private use, presentation forms, full-width forms.
        0xe000..=0xffff => 1_500,
        // Emoji, rare ideographs, ancient scripts.
        _ => 2_500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn per_token(text: &str) -> f64 {
        text.chars().count() as f64 / estimate_text(text).get() as f64
    }

    #[test]
    fn prose_code_and_data_have_their_density() {
        let prose = "Every model call goes into a queue; the queue empties exactly as fast as the quota \
                     allows, and nobody sees a throttling error. Teams run into their limits all the time.";
        let code =
            "fn main() {\n    let x = vec![1, 2, 3];\n    println!(\"{:?}\", x.iter().sum::<i32>());\n}\n";
        let data = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk".repeat(20);
        let chinese = "所有模型调用都进入队列，队列按照配额允许的速度清空。";
        assert!((3.2..4.2).contains(&per_token(prose)), "{}", per_token(prose));
        assert!((2.0..3.6).contains(&per_token(code)), "{}", per_token(code));
        assert!((1.4..2.2).contains(&per_token(&data)), "{}", per_token(&data));
        assert!((0.8..1.3).contains(&per_token(chinese)), "{}", per_token(chinese));
    }

    #[test]
    fn a_row_of_one_character_is_no_data() {
        for c in ["a", "A", "0", "-", "=", "\n", " "] {
            let row = per_token(&c.repeat(10_000));
            assert!((6.0..6.7).contains(&row), "{c:?}: {row}");
        }
        // Two letters in turn are data all the same.
        assert!(per_token(&"ab".repeat(5_000)) < 2.0);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(estimate_text(""), Tokens::ZERO);
        assert_eq!(estimate_text("a"), Tokens::new(1));
    }

    proptest! {
        #[test]
        fn any_text_stays_within_its_bounds(text in any::<String>()) {
            let (tokens, bytes) = (estimate_text(&text).get(), text.len() as u64);
            prop_assert!(tokens <= bytes);
            prop_assert!(tokens * 1_000 >= bytes * 150);
        }

        #[test]
        fn a_whole_is_no_less_than_its_parts(
            a in any::<String>().boxed().prop_union("a{0,40}|[ab]{0,60}a{0,20}".boxed()),
            b in "[a-zA-Z0-9 ]{0,60}|a{0,60}|a{0,30}[ab-]{0,60}|\\PC{0,40}",
        ) {
            let whole = estimate_text(&format!("{a}{b}"));
            prop_assert!(whole >= estimate_text(&a));
            prop_assert!(whole >= estimate_text(&b));
        }
    }
}
