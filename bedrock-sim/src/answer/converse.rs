//! Converse and ConverseStream.

use super::frames::Frames;
use super::{Answer, Timing};

fn usage(answer: &Answer) -> String {
    let usage = answer.usage;
    let cache = if answer.cached() {
        format!(
            "\"cacheReadInputTokens\":{},\"cacheWriteInputTokens\":{},",
            usage.cache_read, usage.cache_write
        )
    } else {
        String::new()
    };
    format!(
        "\"usage\":{{{cache}\"inputTokens\":{},\"outputTokens\":{},\"totalTokens\":{}}}",
        usage.input,
        usage.output,
        usage.total()
    )
}

/// The `output` object that Nova's own wire shares with Converse.
pub(super) fn output(answer: &Answer, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"output\":{\"message\":{\"content\":[{");
    if let Some(tool) = &answer.tool {
        let id = answer.id("tooluse_");
        let name = serde_json::Value::from(tool.name.as_str());
        let json = format!(
            "\"toolUse\":{{\"input\":{},\"name\":{name},\"toolUseId\":\"{id}\"}}",
            tool.input
        );
        out.extend_from_slice(json.as_bytes());
    } else {
        out.extend_from_slice(b"\"text\":\"");
        answer.append(out, 0, answer.usage.output);
        out.push(b'"');
    }
    out.extend_from_slice(b"}],\"role\":\"assistant\"}}");
}

pub(super) fn whole(answer: &Answer, timing: Timing) -> Vec<u8> {
    let mut out = format!("{{\"metrics\":{{\"latencyMs\":{}}},", timing.whole).into_bytes();
    output(answer, &mut out);
    let tail = format!(",\"stopReason\":\"{}\",{}}}", answer.stop.name(), usage(answer));
    out.extend_from_slice(tail.as_bytes());
    out
}

pub(super) fn begin(answer: &Answer, frames: &mut Frames) {
    frames.event("messageStart", b"\"role\":\"assistant\"");
    if let Some(start) = tool_start(answer) {
        frames.event("contentBlockStart", start.as_bytes());
    }
}

/// Only a tool use is opened by an event of its own; text begins with its first delta.
pub(super) fn tool_start(answer: &Answer) -> Option<String> {
    let tool = answer.tool.as_ref()?;
    let name = serde_json::Value::from(tool.name.as_str());
    let id = answer.id("tooluse_");
    Some(format!(
        "\"contentBlockIndex\":0,\"start\":{{\"toolUse\":{{\"name\":{name},\"toolUseId\":\"{id}\"}}}}"
    ))
}

/// The `contentBlockIndex` and `delta` that Nova's own wire shares with Converse.
pub(super) fn delta_fields(answer: &Answer, from: u64, to: u64) -> Vec<u8> {
    let (opening, closing): (&[u8], &[u8]) = if answer.tool.is_some() {
        (
            b"\"contentBlockIndex\":0,\"delta\":{\"toolUse\":{\"input\":\"",
            b"\"}}",
        )
    } else {
        (b"\"contentBlockIndex\":0,\"delta\":{\"text\":\"", b"\"}")
    };
    let mut fields = opening.to_vec();
    answer.append(&mut fields, from, to);
    fields.extend_from_slice(closing);
    fields
}

pub(super) fn delta(answer: &Answer, frames: &mut Frames, from: u64, to: u64) {
    frames.event("contentBlockDelta", &delta_fields(answer, from, to));
}

pub(super) fn end(answer: &Answer, frames: &mut Frames, timing: Timing) {
    frames.event("contentBlockStop", b"\"contentBlockIndex\":0");
    frames.event(
        "messageStop",
        format!("\"stopReason\":\"{}\"", answer.stop.name()).as_bytes(),
    );
    let metadata = format!("\"metrics\":{{\"latencyMs\":{}}},{}", timing.whole, usage(answer));
    frames.event("metadata", metadata.as_bytes());
}
