//! The nearest known name to a misspelled one.

/// The name among `known` that is nearest to `found`, if it is near enough to have been meant.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let found: Vec<char> = found.to_lowercase().chars().take(64).collect();
    let near = known.iter().map(|name| (distance(&found, name), *name)).min()?;
    let allowed = (found.len() / 3).max(2);
    (near.0 <= allowed).then_some(near.1)
}

/// Letters to insert, delete or replace (Levenshtein).
fn distance(found: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (n, expected) in name.chars().enumerate() {
        let mut diagonal = n;
        let mut left = n + 1;
        for (cell, letter) in row.iter_mut().skip(1).zip(found) {
            let replaced = diagonal + usize::from(*letter != expected);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = n + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_name_was_meant() {
        let known = ["tokens_per_minute", "tokens_per_day", "region"];
        assert_eq!(nearest("token_per_minute", &known), Some("tokens_per_minute"));
        assert_eq!(nearest("REGOIN", &known), Some("region"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn the_distance_counts_edits() {
        let chars: Vec<char> = "kitten".chars().collect();
        assert_eq!(distance(&chars, "sitting"), 3);
        assert_eq!(distance(&[], "abc"), 3);
        assert_eq!(distance(&chars, ""), 6);
    }
}
