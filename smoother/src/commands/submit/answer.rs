//! The text in a model's answer.

use serde_json::Value;

/// The generated text of a Converse answer, or of Anthropic's, Nova's, Titan's or Llama's own form; `None` where
/// there is none (an embedding, a tool call, an event stream).
pub fn text_of(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let blocks = answer
        .pointer("/output/message/content")
        .or_else(|| answer.get("content"));
    if let Some(blocks) = blocks.and_then(Value::as_array) {
        let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        return (!texts.is_empty()).then(|| texts.join(""));
    }
    ["/results/0/outputText", "/generation", "/completion"]
        .iter()
        .find_map(|place| answer.pointer(place)?.as_str())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_its_text() {
        for answer in [
            r#"{"output":{"message":{"role":"assistant","content":[{"text":"he"},{"text":"llo"}]}}}"#,
            r#"{"content":[{"type":"thinking","thinking":"…"},{"type":"text","text":"hello"}]}"#,
            r#"{"results":[{"outputText":"hello"}]}"#,
            r#"{"generation":"hello"}"#,
        ] {
            assert_eq!(text_of(answer.as_bytes()).as_deref(), Some("hello"), "{answer}");
        }
        for none in [
            "",
            "[1]",
            r#"{"embedding":[0.5]}"#,
            r#"{"content":[{"type":"tool_use"}]}"#,
        ] {
            assert_eq!(text_of(none.as_bytes()), None, "{none}");
        }
    }
}
