//! Meta Llama inside InvokeModel.

use super::frames::Frames;
use super::{Answer, Timing};
use crate::request::Stop;

fn reason(answer: &Answer) -> &'static str {
    if answer.stop == Stop::MaxTokens {
        "length"
    } else {
        "stop"
    }
}

pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let usage = answer.usage;
    let mut out = b"{\"generation\":\"".to_vec();
    answer.append(&mut out, 0, usage.output);
    let tail = format!(
        "\",\"prompt_token_count\":{},\"generation_token_count\":{},\"stop_reason\":\"{}\"}}",
        usage.input,
        usage.output,
        reason(answer)
    );
    out.extend_from_slice(tail.as_bytes());
    out
}

pub(super) fn delta(answer: &Answer, frames: &mut Frames, from: u64, to: u64) {
    let mut json = b"{\"generation\":\"".to_vec();
    answer.append(&mut json, from, to);
    // Only the first chunk says how long the prompt was.
    let prompt = if from == 0 {
        answer.usage.input.to_string()
    } else {
        "null".to_owned()
    };
    let tail =
        format!("\",\"prompt_token_count\":{prompt},\"generation_token_count\":{to},\"stop_reason\":null}}");
    json.extend_from_slice(tail.as_bytes());
    frames.chunk(&json);
}

pub(super) fn end(answer: &Answer, frames: &mut Frames, timing: Timing) {
    let json = format!(
        "{{\"generation\":\"\",\"prompt_token_count\":null,\"generation_token_count\":{},\"stop_reason\":\"{}\",{}}}",
        answer.usage.output,
        reason(answer),
        answer.invocation_metrics(timing)
    );
    frames.chunk(json.as_bytes());
}
