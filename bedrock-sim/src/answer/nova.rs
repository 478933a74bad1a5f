//! Amazon Nova inside InvokeModel: Converse's shapes, each event under its name.

use super::frames::Frames;
use super::{Answer, Timing, converse};

fn usage(answer: &Answer) -> String {
    let usage = answer.usage;
    format!(
        "\"usage\":{{\"inputTokens\":{},\"outputTokens\":{},\"totalTokens\":{},\"cacheReadInputTokenCount\":{},\
         \"cacheWriteInputTokenCount\":{}}}",
        usage.input,
        usage.output,
        usage.total(),
        usage.cache_read,
        usage.cache_write
    )
}

pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let mut out = b"{".to_vec();
    converse::output(answer, &mut out);
    let tail = format!(",\"stopReason\":\"{}\",{}}}", answer.stop.name(), usage(answer));
    out.extend_from_slice(tail.as_bytes());
    out
}

pub(super) fn begin(answer: &Answer, frames: &mut Frames) {
    frames.chunk(b"{\"messageStart\":{\"role\":\"assistant\"}}");
    if let Some(start) = converse::tool_start(answer) {
        frames.chunk(format!("{{\"contentBlockStart\":{{{start}}}}}").as_bytes());
    }
}

pub(super) fn delta(answer: &Answer, frames: &mut Frames, from: u64, to: u64) {
    let mut json = b"{\"contentBlockDelta\":{".to_vec();
    json.extend_from_slice(&converse::delta_fields(answer, from, to));
    json.extend_from_slice(b"}}");
    frames.chunk(&json);
}

pub(super) fn end(answer: &Answer, frames: &mut Frames, timing: Timing) {
    frames.chunk(b"{\"contentBlockStop\":{\"contentBlockIndex\":0}}");
    let stop = answer.stop.name();
    frames.chunk(format!("{{\"messageStop\":{{\"stopReason\":\"{stop}\"}}}}").as_bytes());
    let metadata = format!(
        "{{\"metadata\":{{{},\"metrics\":{{}},\"trace\":{{}}}},{}}}",
        usage(answer),
        answer.invocation_metrics(timing)
    );
    frames.chunk(metadata.as_bytes());
}
