//! Anthropic's messages API inside InvokeModel.

use super::frames::Frames;
use super::{Answer, Timing};
use crate::request::Stop;

/// The model's own name, as Anthropic puts it into the message: without Region prefix, vendor and
/// version.
fn model(answer: &Answer) -> &str {
    let id = answer.model.rsplit('/').next().unwrap_or_default();
    let id = id.split_once("anthropic.").map_or(id, |(_, name)| name);
    id.rsplit_once("-v").map_or(id, |(name, _)| name)
}

fn message(answer: &Answer) -> String {
    let model = serde_json::Value::from(model(answer));
    let id = answer.id("msg_bdrk_");
    format!("\"model\":{model},\"id\":\"{id}\",\"type\":\"message\",\"role\":\"assistant\"")
}

fn usage(answer: &Answer, output: u64) -> String {
    let usage = answer.usage;
    format!(
        "\"usage\":{{\"input_tokens\":{},\"cache_creation_input_tokens\":{},\"cache_read_input_tokens\":{},\
         \"output_tokens\":{output}}}",
        usage.input, usage.cache_write, usage.cache_read
    )
}

fn stop(stop: Stop) -> String {
    format!("\"stop_reason\":\"{}\",\"stop_sequence\":null", stop.name())
}

pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let mut out = format!("{{{},\"content\":[{{", message(answer)).into_bytes();
    if let Some(tool) = &answer.tool {
        let (id, name) = (
            answer.id("toolu_bdrk_"),
            serde_json::Value::from(tool.name.as_str()),
        );
        let block = format!(
            "\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":{name},\"input\":{}",
            tool.input
        );
        out.extend_from_slice(block.as_bytes());
    } else {
        out.extend_from_slice(b"\"type\":\"text\",\"text\":\"");
        answer.append(&mut out, 0, answer.usage.output);
        out.push(b'"');
    }
    let tail = format!(
        "}}],{},{}}}",
        stop(answer.stop),
        usage(answer, answer.usage.output)
    );
    out.extend_from_slice(tail.as_bytes());
    out
}

pub(super) fn begin(answer: &Answer, frames: &mut Frames) {
    let start = format!(
        "{{\"type\":\"message_start\",\"message\":{{{},\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,{}}}}}",
        message(answer),
        usage(answer, 1)
    );
    frames.chunk(start.as_bytes());
    let block = match &answer.tool {
        None => "\"type\":\"text\",\"text\":\"\"".to_owned(),
        Some(tool) => {
            let (id, name) = (
                answer.id("toolu_bdrk_"),
                serde_json::Value::from(tool.name.as_str()),
            );
            format!("\"type\":\"tool_use\",\"id\":\"{id}\",\"name\":{name},\"input\":{{}}")
        }
    };
    let start = format!("{{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{{block}}}}}");
    frames.chunk(start.as_bytes());
}

pub(super) fn delta(answer: &Answer, frames: &mut Frames, from: u64, to: u64) {
    let (kind, key) = if answer.tool.is_some() {
        ("input_json_delta", "partial_json")
    } else {
        ("text_delta", "text")
    };
    let mut json = format!(
        "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"{kind}\",\"{key}\":\""
    )
    .into_bytes();
    answer.append(&mut json, from, to);
    json.extend_from_slice(b"\"}}");
    frames.chunk(&json);
}

pub(super) fn end(answer: &Answer, frames: &mut Frames, timing: Timing) {
    frames.chunk(b"{\"type\":\"content_block_stop\",\"index\":0}");
    let delta = format!(
        "{{\"type\":\"message_delta\",\"delta\":{{{}}},\"usage\":{{\"output_tokens\":{}}}}}",
        stop(answer.stop),
        answer.usage.output
    );
    frames.chunk(delta.as_bytes());
    let stop = format!(
        "{{\"type\":\"message_stop\",{}}}",
        answer.invocation_metrics(timing)
    );
    frames.chunk(stop.as_bytes());
}
