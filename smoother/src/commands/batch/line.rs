//! One line of a batch: read, keyed, written.

use super::send::Outcome;
use super::source::RawLine;
use crate::commands::submit::input::form_of;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use smoother_core::{Operation, quoted};

/// A line that was read, or as much of it as could be.
#[derive(Debug)]
pub struct Record {
    /// Its line's number, from 1.
    pub number: u64,
    /// Its own id, or one made of its number.
    pub id: String,
    /// Whether the id stands in the line.
    pub is_named: bool,
    /// The request's body as it was written; `None` where the line holds none.
    pub input: Option<Box<RawValue>>,
    /// What the body is a body of.
    pub operation: Operation,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "recordId")]
    id: Option<Value>,
    #[serde(rename = "modelInput")]
    input: Option<Box<RawValue>>,
}

/// Reads a line; a bad one comes back with what is wrong, and still with its id where that could be read.
pub fn parse(raw: &RawLine) -> Result<Record, (Record, String)> {
    let mut record = Record {
        number: raw.number,
        id: format!("line-{}", raw.number),
        is_named: false,
        input: None,
        operation: Operation::Invoke,
    };
    match read(raw, &mut record) {
        Ok(()) => Ok(record),
        Err(words) => Err((record, words)),
    }
}

fn read(raw: &RawLine, record: &mut Record) -> Result<(), String> {
    if raw.cut {
        return Err(format!(
            "line {} is longer than {} MiB",
            raw.number,
            super::source::LONGEST >> 20
        ));
    }
    // Serde would take an array for the members in their order.
    if raw.bytes.trim_ascii().first() == Some(&b'[') {
        return Err(format!(
            "line {} is an array; it must be an object, {{\"recordId\": …, \"modelInput\": {{…}}}}",
            raw.number
        ));
    }
    let wire: Wire = serde_json::from_slice(&raw.bytes)
        .map_err(|e| format!("line {} is not valid: {}", raw.number, plainly(&e)))?;
    match wire.id {
        None | Some(Value::Null) => {}
        Some(Value::String(id)) if !id.is_empty() => {
            record.id = id;
            record.is_named = true;
        }
        Some(other) => {
            let shown = quoted(&other.to_string());
            return Err(format!(
                "recordId is {shown}; it must be a text that is not empty"
            ));
        }
    }
    let Some(input) = wire.input else {
        return Err("modelInput is missing".to_owned());
    };
    let fields: Map<String, Value> = serde_json::from_str(input.get())
        .map_err(|_| "modelInput is no JSON object; it must be a request's body".to_owned())?;
    record.operation = form_of(&Value::Object(fields));
    record.input = Some(input);
    Ok(())
}

/// What is wrong with a line's JSON, in words of the file.
fn plainly(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    if error.is_eof() {
        "it ends before it is complete".to_owned()
    } else if let Some(name) = whole.strip_prefix("duplicate field `") {
        let name = name.split('`').next().unwrap_or_default();
        format!("it has {name} twice")
    } else if error.is_data() {
        "it must be an object, {\"recordId\": …, \"modelInput\": {…}}".to_owned()
    } else {
        format!("it is no JSON from column {} on", error.column())
    }
}

/// The idempotency key of a line: the same file, line and content is the same job, a changed line another.
pub fn key(file: &str, run: &str, model: &str, record: &Record) -> String {
    let mut hash = Sha256::new();
    let input = record.input.as_deref().map_or("", RawValue::get);
    let number = record.number.to_string();
    let operation = record.operation.as_str();
    for part in [file, run, model, operation, &number, &record.id, input] {
        // The length keeps neighbouring parts apart.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("batch-{hex}")
}

#[derive(Serialize)]
struct Out<'a> {
    #[serde(rename = "recordId")]
    id: &'a str,
    #[serde(rename = "modelInput", skip_serializing_if = "Option::is_none")]
    input: Option<&'a RawValue>,
    #[serde(rename = "modelOutput", skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
    #[serde(rename = "jobId", skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OutError<'a>>,
}

#[derive(Serialize)]
struct OutError<'a> {
    #[serde(rename = "errorCode")]
    code: u16,
    #[serde(rename = "errorMessage")]
    message: &'a str,
}

/// The line that goes out, without its newline. `jobId` is there only where no answer was waited for.
pub fn render(record: &Record, outcome: &Outcome) -> Vec<u8> {
    let mut out = Out {
        id: &record.id,
        input: record.input.as_deref(),
        output: None,
        job: None,
        error: None,
    };
    let error = |code, message| Some(OutError { code, message });
    match outcome {
        Outcome::Answered(output) => out.output = Some(output),
        Outcome::Submitted(id) => out.job = Some(id.to_string()),
        Outcome::Invalid(words) => out.error = error(400, words),
        Outcome::Refused { status, words } | Outcome::Unanswered { status, words } => {
            out.error = error(*status, words);
        }
    }
    // Text, numbers and JSON that was parsed before always serialize.
    serde_json::to_vec(&out).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn raw(number: u64, text: &str) -> RawLine {
        RawLine {
            number,
            bytes: text.as_bytes().to_vec(),
            cut: false,
        }
    }

    #[test]
    fn both_forms_are_read_and_bodies_kept_as_written() {
        let line = r#"{"recordId":"A1","modelInput":{"messages":[{"role":"user","content":[{"text":"x"}]}], "n":1.0}}"#;
        let record = parse(&raw(3, line)).unwrap();
        assert_eq!(
            (record.id.as_str(), record.operation),
            ("A1", Operation::Converse)
        );
        assert!(record.input.unwrap().get().ends_with(r#"], "n":1.0}"#));
        let record = parse(&raw(4, r#"{"modelInput":{"inputText":"x"}}"#)).unwrap();
        assert_eq!(
            (record.id.as_str(), record.operation),
            ("line-4", Operation::Invoke)
        );
    }

    #[test]
    fn a_bad_line_keeps_what_could_be_read() {
        for (line, id, words) in [
            (
                "{",
                "line-1",
                "line 1 is not valid: it ends before it is complete",
            ),
            (
                "nil",
                "line-1",
                "line 1 is not valid: it is no JSON from column 2 on",
            ),
            (
                r#"{"recordId":"A","recordId":"B"}"#,
                "line-1",
                "line 1 is not valid: it has recordId twice",
            ),
            ("[]", "line-1", "line 1 is an array"),
            (r#" ["A", {"inputText":"x"}]"#, "line-1", "line 1 is an array"),
            ("7", "line-1", "line 1 is not valid: it must be an object"),
            (r#"{"recordId":"A","modelInput":[{}]}"#, "A", "no JSON object"),
            (r#"{"recordId":"A"}"#, "A", "modelInput is missing"),
            (r#"{"recordId":"A","modelInput":"x"}"#, "A", "no JSON object"),
            (r#"{"recordId":7,"modelInput":{}}"#, "line-1", "recordId is 7"),
        ] {
            let (record, said) = parse(&raw(1, line)).unwrap_err();
            assert_eq!(record.id, id, "{line}");
            assert!(said.contains(words), "{line}: {said}");
        }
    }

    #[test]
    fn a_key_follows_file_line_and_content() {
        let line = r#"{"recordId":"A","modelInput":{"inputText":"x"}}"#;
        let of = |file, run, number, line: &str| key(file, run, "m", &parse(&raw(number, line)).unwrap());
        let first = of("f", "", 1, line);
        assert_eq!(first, of("f", "", 1, line));
        for other in [
            of("g", "", 1, line),
            of("f", "2", 1, line),
            of("f", "", 2, line),
            of("f", "", 1, &line.replace("\"x\"", "\"y\"")),
            of("f", "", 1, &line.replace("\"A\"", "\"B\"")),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn output_lines_follow_bedrocks_form() {
        let record = parse(&raw(1, r#"{"recordId":"A","modelInput":{"inputText":"x"}}"#)).unwrap();
        let answer = RawValue::from_string(r#"{"a": 1.0}"#.to_owned()).unwrap();
        let line = render(&record, &Outcome::Answered(answer));
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"recordId":"A","modelInput":{"inputText":"x"},"modelOutput":{"a": 1.0}}"#
        );
        let outcome = Outcome::Refused {
            status: 400,
            words: "too large".to_owned(),
        };
        assert_eq!(
            String::from_utf8(render(&record, &outcome)).unwrap(),
            r#"{"recordId":"A","modelInput":{"inputText":"x"},"error":{"errorCode":400,"errorMessage":"too large"}}"#
        );
    }
}
