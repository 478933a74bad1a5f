//! How many tokens a request will cost, guessed at the door without asking anybody.
//!
//! Bedrock's CountTokens rejects some models and would add a round trip, so the input is guessed from its text
//! ([`estimate_text`], [`Media`], the overheads) and each model's guess is corrected by what its calls turned out
//! to use ([`Corrector`]). The output is guessed from past outputs ([`Outputs`]), which also say how small a max_tokens
//! would do. Everything is pure: time comes in as an argument, and what is learned is a value.

mod answers;
mod average;
mod corrector;
mod lengths;
mod lessons;
mod media;
mod outputs;
mod ratio;
mod right_size;
mod text;

pub use answers::Answers;
pub use average::Average;
pub use corrector::{Corrector, ErrorStats};
pub use lessons::{Lesson, Lessons, SharedAnswers};
pub use media::{MESSAGE_OVERHEAD, Media, REQUEST_OVERHEAD, TOOLS_OVERHEAD};
pub use outputs::{Answered, OutputKey, Outputs};
pub use ratio::Ratio;
pub use text::estimate_text;
