//! Answers, whole or in events, in the JSON of each wire. Keys come in the order in which the real
//! service sends them.

mod anthropic;
mod converse;
pub(crate) mod filler;
pub(crate) mod frames;
mod llama;
mod nova;
mod titan;

use self::frames::Frames;
use crate::hash::mix;
use crate::quota::cost::Usage;
use crate::request::{Plan, Stop, ToolUse, Wire};

/// What is said, and by whom.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) wire: Wire,
    model: String,
    /// Distinguishes this answer's ids from every other's.
    nonce: u64,
    hash: u64,
    tool: Option<ToolUse>,
    stop: Stop,
    pub(crate) usage: Usage,
}

/// How long an answer took, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timing {
    pub(crate) first_byte: u64,
    pub(crate) whole: u64,
}

impl Answer {
    pub(crate) fn new(plan: Plan, model: String, nonce: u64) -> Self {
        Self {
            wire: plan.wire,
            model,
            nonce,
            hash: plan.hash,
            tool: plan.tool,
            stop: plan.stop,
            usage: plan.usage,
        }
    }

    /// The whole answer.
    pub(crate) fn whole(&self, timing: Timing) -> Vec<u8> {
        match self.wire {
            Wire::Converse => converse::whole(self, timing),
            Wire::Anthropic => anthropic::whole(self),
            Wire::Nova => nova::whole(self),
            Wire::Titan => titan::whole(self),
            Wire::Llama => llama::whole(self),
        }
    }

    /// The events before the first token.
    pub(crate) fn begin(&self, frames: &mut Frames) {
        match self.wire {
            Wire::Converse => converse::begin(self, frames),
            Wire::Anthropic => anthropic::begin(self, frames),
            Wire::Nova => nova::begin(self, frames),
            Wire::Titan | Wire::Llama => {}
        }
    }

    /// The event that brings the tokens `from..to`.
    pub(crate) fn delta(&self, frames: &mut Frames, from: u64, to: u64) {
        match self.wire {
            Wire::Converse => converse::delta(self, frames, from, to),
            Wire::Anthropic => anthropic::delta(self, frames, from, to),
            Wire::Nova => nova::delta(self, frames, from, to),
            Wire::Titan => titan::delta(self, frames, from, to),
            Wire::Llama => llama::delta(self, frames, from, to),
        }
    }

    /// An event that would bring tokens, if its payload did not break off.
    pub(crate) fn half_delta(&self, frames: &mut Frames) {
        match self.wire {
            Wire::Converse => {
                frames.half_payload("contentBlockDelta", br#"{"contentBlockIndex":0,"delta":{"te"#);
            }
            Wire::Anthropic | Wire::Nova | Wire::Titan | Wire::Llama => {
                frames.half_payload("chunk", br#"{"bytes":"eyJ0eXBl"#);
            }
        }
    }

    /// The events after the last token.
    pub(crate) fn end(&self, frames: &mut Frames, timing: Timing) {
        match self.wire {
            Wire::Converse => converse::end(self, frames, timing),
            Wire::Anthropic => anthropic::end(self, frames, timing),
            Wire::Nova => nova::end(self, frames, timing),
            Wire::Titan => titan::end(self, frames, timing),
            Wire::Llama => llama::end(self, frames, timing),
        }
    }

    /// Appends the tokens `from..to` as the inside of a JSON string.
    fn append(&self, out: &mut Vec<u8>, from: u64, to: u64) {
        let Some(tool) = &self.tool else {
            filler::append(out, self.hash, from, to);
            return;
        };
        let cut = |token: u64| {
            let bytes = tool.input.len() as u128 * u128::from(token) / u128::from(self.usage.output.max(1));
            tool.input
                .floor_char_boundary(usize::try_from(bytes).unwrap_or(usize::MAX))
        };
        let piece = serde_json::Value::from(&tool.input[cut(from)..cut(to)]).to_string();
        out.extend_from_slice(&piece.as_bytes()[1..piece.len() - 1]);
    }

    /// An id after `prefix`, of this answer alone.
    fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:016x}{:08x}", mix(self.nonce), self.nonce & 0xffff_ffff)
    }

    fn cached(&self) -> bool {
        self.usage.cache_read + self.usage.cache_write > 0
    }

    /// What InvokeModelWithResponseStream adds to the last chunk.
    fn invocation_metrics(&self, timing: Timing) -> String {
        let usage = self.usage;
        let cache = if self.cached() {
            format!(
                ",\"cacheReadInputTokenCount\":{},\"cacheWriteInputTokenCount\":{}",
                usage.cache_read, usage.cache_write
            )
        } else {
            String::new()
        };
        format!(
            "\"amazon-bedrock-invocationMetrics\":{{\"inputTokenCount\":{},\"outputTokenCount\":{},\
             \"invocationLatency\":{},\"firstByteLatency\":{}{cache}}}",
            usage.input, usage.output, timing.whole, timing.first_byte
        )
    }
}

impl Stop {
    /// As Converse, Anthropic and Nova spell it.
    fn name(self) -> &'static str {
        match self {
            Self::EndTurn => "end_turn",
            Self::MaxTokens => "max_tokens",
            Self::ToolUse => "tool_use",
        }
    }
}

#[cfg(test)]
mod tests;
