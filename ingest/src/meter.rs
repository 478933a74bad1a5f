//! Adds up what a body gives the model to read, by core's estimates.

use smoother_core::Tokens;
use smoother_core::estimate::{MESSAGE_OVERHEAD, Media, REQUEST_OVERHEAD, TOOLS_OVERHEAD, estimate_text};

/// Tokens of one body, before any correction for its model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter(Tokens);

impl Default for Meter {
    fn default() -> Self {
        Self(REQUEST_OVERHEAD)
    }
}

impl Meter {
    /// A message begins.
    pub(crate) fn message(&mut self) {
        self.0 += MESSAGE_OVERHEAD;
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        self.0 += estimate_text(text);
    }

    /// JSON that the model reads as it stands.
    pub(crate) fn json(&mut self, raw: &str) {
        self.text(raw);
    }

    /// Definitions of tools.
    pub(crate) fn tools(&mut self, raw: &str) {
        self.text(raw);
        self.0 += TOOLS_OVERHEAD;
    }

    /// A picture; a film or a sound is taken for one, as its length is not known here.
    pub(crate) fn picture(&mut self) {
        self.0 += Media::Image.estimate();
    }

    /// A document in `base64`, of text or of pages.
    pub(crate) fn document(&mut self, base64: &str, is_text: bool) {
        let bytes = (base64.len() as u64).saturating_mul(3) / 4;
        let media = if is_text {
            Media::TextDocument { bytes }
        } else {
            Media::PagedDocument { bytes }
        };
        self.0 += media.estimate();
    }

    /// The sum.
    pub(crate) fn tokens(&self) -> Tokens {
        self.0
    }
}
