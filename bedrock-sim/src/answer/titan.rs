//! Amazon Titan Text inside InvokeModel.

use super::frames::Frames;
use super::{Answer, Timing};
use crate::request::Stop;

fn reason(answer: &Answer) -> &'static str {
    if answer.stop == Stop::MaxTokens {
        "LENGTH"
    } else {
        "FINISH"
    }
}

pub(super) fn whole(answer: &Answer) -> Vec<u8> {
    let usage = answer.usage;
    let mut out = format!(
        "{{\"inputTextTokenCount\":{},\"results\":[{{\"tokenCount\":{},\"outputText\":\"",
        usage.input, usage.output
    )
    .into_bytes();
    answer.append(&mut out, 0, usage.output);
    out.extend_from_slice(format!("\",\"completionReason\":\"{}\"}}]}}", reason(answer)).as_bytes());
    out
}

pub(super) fn delta(answer: &Answer, frames: &mut Frames, from: u64, to: u64) {
    let mut json = b"{\"outputText\":\"".to_vec();
    answer.append(&mut json, from, to);
    // Only the first chunk says how long the input was.
    let input = if from == 0 {
        answer.usage.input.to_string()
    } else {
        "null".to_owned()
    };
    json.extend_from_slice(
        format!(
            "\",\"index\":0,\"totalOutputTextTokenCount\":null,\"completionReason\":null,\
             \"inputTextTokenCount\":{input}}}"
        )
        .as_bytes(),
    );
    frames.chunk(&json);
}

pub(super) fn end(answer: &Answer, frames: &mut Frames, timing: Timing) {
    let json = format!(
        "{{\"outputText\":\"\",\"index\":0,\"totalOutputTextTokenCount\":{},\"completionReason\":\"{}\",\
         \"inputTextTokenCount\":null,{}}}",
        answer.usage.output,
        reason(answer),
        answer.invocation_metrics(timing)
    );
    frames.chunk(json.as_bytes());
}
