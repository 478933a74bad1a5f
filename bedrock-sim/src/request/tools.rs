//! Answers that use a tool.

use serde_json::{Map, Value, json};

use crate::answer::filler;

/// A tool's use: name and input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolUse {
    pub(crate) name: String,
    /// The input, as JSON.
    pub(crate) input: String,
}

/// Uses the tool called `wanted`, or the first one in `tools` (the JSON of any wire's list). The
/// input has every property of the tool's schema; its first text is about `chars` long.
pub(super) fn use_tool(tools: Option<&str>, wanted: Option<&str>, chars: u64) -> Option<ToolUse> {
    let tools: Vec<Value> = tools
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    let named = tools.iter().filter_map(|tool| {
        // Converse and Nova wrap a tool in toolSpec, Anthropic does not.
        let spec = tool.get("toolSpec").unwrap_or(tool);
        Some((spec.get("name")?.as_str()?, spec))
    });
    let mut named = named.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name));
    let (name, spec) = named.next()?;
    let schema = spec
        .pointer("/inputSchema/json")
        .or_else(|| spec.get("input_schema"));
    Some(ToolUse {
        name: name.to_owned(),
        input: input(schema, chars).to_string(),
    })
}

fn input(schema: Option<&Value>, chars: u64) -> Value {
    let properties = schema
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object);
    let Some(properties) = properties else {
        return json!({ "text": filler::words(chars) });
    };
    let mut chars = chars;
    let filled = properties
        .iter()
        .map(|(name, schema)| (name.clone(), value(schema, &mut chars)));
    Value::Object(filled.collect::<Map<_, _>>())
}

/// A value that satisfies a simple JSON schema.
fn value(schema: &Value, chars: &mut u64) -> Value {
    if let Some(first) = schema.get("enum").and_then(|values| values.get(0)) {
        return first.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => schema
            .get("items")
            .map_or_else(|| json!([]), |items| json!([value(items, chars)])),
        Some("object") => input(Some(schema), std::mem::take(chars)),
        // Only the first text is long.
        _ => json!(filler::words(std::mem::take(chars).max(1))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_named_tool_is_used_and_its_schema_satisfied() {
        let tools = r#"[{"toolSpec":{"name":"a","inputSchema":{"json":{}}}},
            {"toolSpec":{"name":"b","inputSchema":{"json":{"type":"object","properties":
                {"city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]}}}}}}]"#;
        let used = use_tool(Some(tools), Some("b"), 40).unwrap();
        let input: Value = serde_json::from_str(&used.input).unwrap();
        assert_eq!(used.name, "b");
        assert_eq!(input["city"].as_str().unwrap().len(), 40);
        assert_eq!(
            (input["days"].as_u64(), input["unit"].as_str()),
            (Some(1), Some("C"))
        );
        assert_eq!(use_tool(Some(tools), None, 4).unwrap().name, "a");
        assert_eq!(use_tool(Some(tools), Some("c"), 4), None);
        assert_eq!(use_tool(None, None, 4), None);
    }
}
