//! Tokens of what is not text, and of what surrounds it.

use crate::units::Tokens;

/// What the wire adds around each message.
pub const MESSAGE_OVERHEAD: Tokens = Tokens::new(4);
/// What the wire adds around a request.
pub const REQUEST_OVERHEAD: Tokens = Tokens::new(8);
/// What the presence of tools adds, besides their definitions: the prompt that makes a model use them
/// (Anthropic states 313 to 346 tokens for the Claude 4 models).
pub const TOOLS_OVERHEAD: Tokens = Tokens::new(346);

/// An image takes (width × height) / 750 tokens and is scaled down to about 1.15 megapixels first (Anthropic's
/// vision guide). Its size is not read from its bytes: the largest is taken.
const IMAGE: u64 = 1_600;
/// A page of a PDF counts as text and as an image: 1,500 to 3,000 tokens and more (Anthropic's PDF guide).
const PAGE_TOKENS: u64 = 3_000;
/// Bytes of a usual page of a compressed document.
const PAGE_BYTES: u64 = 40_000;
/// Bytes of text a token stands for, rounded down to be safe.
const TEXT_BYTES: u64 = 3;

/// Content that is not part of the message's text, with its decoded size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// A picture of any format.
    Image,
    /// A document whose bytes are its text: txt, md, csv, html.
    TextDocument {
        /// Its length.
        bytes: u64,
    },
    /// A document of pages in a compressed format: pdf, doc, docx, xls, xlsx.
    PagedDocument {
        /// Its length.
        bytes: u64,
    },
}

impl Media {
    /// About how many tokens it takes.
    pub const fn estimate(self) -> Tokens {
        Tokens::new(match self {
            Self::Image => IMAGE,
            Self::TextDocument { bytes } => bytes.div_ceil(TEXT_BYTES),
            Self::PagedDocument { bytes } => {
                let pages = bytes.div_ceil(PAGE_BYTES);
                if pages == 0 { 1 } else { pages }.saturating_mul(PAGE_TOKENS)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_grow_with_their_bytes() {
        assert_eq!(Media::Image.estimate(), Tokens::new(1_600));
        assert_eq!(
            Media::TextDocument { bytes: 3_001 }.estimate(),
            Tokens::new(1_001)
        );
        assert_eq!(Media::PagedDocument { bytes: 1 }.estimate(), Tokens::new(3_000));
        assert_eq!(
            Media::PagedDocument { bytes: 400_000 }.estimate(),
            Tokens::new(30_000)
        );
        assert_eq!(
            Media::PagedDocument { bytes: u64::MAX }.estimate().get() % 3_000,
            0
        );
    }
}
