//! A caller's own words in a message to it.

/// So many characters of a quotation are shown, escapes included.
const LONGEST: usize = 80;

/// Text of a caller, short enough to be quoted back, with `{:?}` as well: 80 characters as they are shown, and no
/// control characters. It ends in `…` where something was left out.
pub fn quoted(text: &str) -> String {
    let mut shown = 0;
    let mut short: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take_while(|c| {
            shown += c.escape_debug().count();
            shown <= LONGEST
        })
        .collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quotation_is_eighty_characters_at_most_as_it_is_shown() {
        assert_eq!(quoted("/v1/job"), "/v1/job");
        assert_eq!(quoted(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(quoted(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
        let escaped = format!("{:?}", quoted(&"\\".repeat(81)));
        assert_eq!(escaped, format!("\"{}…\"", "\\".repeat(80)));
    }

    #[test]
    fn control_characters_are_left_out() {
        assert_eq!(quoted("so\u{1b}[31mnnet\n"), "so[31mnnet…");
    }
}
