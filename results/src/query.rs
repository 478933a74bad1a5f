//! What is wrong with a query, in the API's words.

use smoother_core::quoted;

/// The sentence for a query that could not be read, from the one of the parser.
pub fn in_api_words(said: &str) -> String {
    let said = said
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(said);
    if let Some((_, rest)) = said.split_once("unknown field ")
        && let Some((name, known)) = rest.split_once(", expected ")
    {
        let name = quoted(name.trim_matches('`'));
        let known = known.strip_prefix("one of ").unwrap_or(known).replace('`', "");
        return format!("{name:?} is no query parameter here; known are {known}.");
    }
    if let Some((_, name)) = said.split_once("duplicate field ") {
        return format!("{} is given twice; give it once.", name.replace('`', ""));
    }
    let number = [
        "invalid digit found in string",
        "cannot parse integer from empty string",
        "number too large to fit in target type",
    ];
    match said.split_once(": ") {
        Some((name, why)) if number.contains(&why) => format!("{name} must be a whole number."),
        _ => format!("The query cannot be read: {said}."),
    }
}
