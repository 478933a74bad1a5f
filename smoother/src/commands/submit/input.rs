//! The request that a submission sends, and which operation it is a body of.

use crate::cli::SubmitArgs;
use crate::commands::{CommandError, Terminal};
use serde_json::value::RawValue;
use serde_json::{Value, json, value::to_raw_value};
use smoother_core::Operation;
use std::io::Read;
use std::path::Path;

/// A body and its operation.
#[derive(Debug)]
pub struct Input {
    pub operation: Operation,
    pub body: Box<RawValue>,
}

/// From a prompt, a file or stdin, as the flags say.
pub async fn read(args: &SubmitArgs, terminal: &mut Terminal) -> Result<Input, CommandError> {
    match (&args.json_body, args.prompt.as_deref()) {
        (Some(file), _) => {
            let (name, text) = if file == Path::new("-") {
                ("stdin".to_owned(), stdin(terminal).await?)
            } else {
                let name = file.display().to_string();
                let text = std::fs::read_to_string(file)
                    .map_err(|e| CommandError::file(format!("{name} cannot be read"), e))?;
                (name, text)
            };
            body(&name, &text, args.operation)
        }
        (None, Some("-")) => {
            let text = stdin(terminal).await?;
            prompt(text.trim_end_matches('\n'), args)
        }
        (None, Some(text)) => prompt(text, args),
        (None, None) => Err(CommandError::Usage("a prompt is needed".to_owned())),
    }
}

/// On a thread of its own: a terminal or a pipe may take its time, and Ctrl-C must still be heard.
async fn stdin(terminal: &mut Terminal) -> Result<String, CommandError> {
    let mut input = std::mem::replace(&mut terminal.input, Box::new(std::io::empty()));
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        input.read_to_string(&mut text).map(|_| text)
    });
    let done = read.await.map_err(std::io::Error::other).and_then(|text| text);
    done.map_err(|e| CommandError::file("stdin cannot be read", e))
}

fn prompt(text: &str, args: &SubmitArgs) -> Result<Input, CommandError> {
    if text.trim().is_empty() {
        return Err(CommandError::Input("the prompt is empty".to_owned()));
    }
    if args.operation.is_some_and(|o| o != Operation::Converse) {
        let words = "a prompt is sent by converse; for another operation give its body by --json-body";
        return Err(CommandError::Usage(words.to_owned()));
    }
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": text}]}]});
    if let Some(most) = args.max_tokens {
        body["inferenceConfig"] = json!({"maxTokens": most});
    }
    let body = to_raw_value(&body).map_err(|e| CommandError::Input(e.to_string()))?;
    Ok(Input {
        operation: Operation::Converse,
        body,
    })
}

fn body(name: &str, text: &str, operation: Option<Operation>) -> Result<Input, CommandError> {
    let value: Value = serde_json::from_str(text).map_err(|e| invalid(name, &e))?;
    if !value.is_object() {
        return Err(CommandError::Input(format!("{name} holds no JSON object")));
    }
    let body = RawValue::from_string(text.trim().to_owned()).map_err(|e| invalid(name, &e))?;
    Ok(Input {
        operation: operation.unwrap_or_else(|| form_of(&value)),
        body,
    })
}

fn invalid(name: &str, error: &serde_json::Error) -> CommandError {
    CommandError::Input(format!("{name} is not JSON: {error}"))
}

/// Whether a body is Converse's or InvokeModel's.
///
/// Converse's messages hold blocks whose one key is their kind (`{"text": …}`); the models' own forms name
/// their version, put `max_tokens` or a prompt at the top, or hold strings or blocks with a `type`. Nova's own
/// form is Converse's with a `schemaVersion`.
pub fn form_of(body: &Value) -> Operation {
    let own = [
        "anthropic_version",
        "schemaVersion",
        "max_tokens",
        "prompt",
        "inputText",
    ];
    let Some(messages) = body["messages"].as_array() else {
        return Operation::Invoke;
    };
    let typed = |content: &Value| {
        content
            .as_array()
            .is_none_or(|blocks| blocks.iter().any(|b| b.get("type").is_some()))
    };
    if own.iter().any(|key| body.get(key).is_some()) || messages.iter().any(|m| typed(&m["content"])) {
        Operation::Invoke
    } else {
        Operation::Converse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_told_apart_by_their_own_marks() {
        let converse = json!({"messages": [{"role": "user", "content": [{"text": "x"}]}],
            "inferenceConfig": {"maxTokens": 5}});
        assert_eq!(form_of(&converse), Operation::Converse);
        for invoke in [
            json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 5, "messages": [
                {"role": "user", "content": "x"}]}),
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
            json!({"messages": [{"role": "user", "content": "x"}]}),
            json!({"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "x"}]}]}),
            json!({"inputText": "x"}),
            json!({"prompt": "x", "max_gen_len": 5}),
        ] {
            assert_eq!(form_of(&invoke), Operation::Invoke, "{invoke}");
        }
    }
}
