//! How many messages go into one batch.

use smoother_core::ports::{Message, QueueError};

/// Entries of one batch, for SQS and SNS.
pub(crate) const MOST_ENTRIES: usize = 10;
/// What a message counts for: body, and name, type and value of each attribute.
pub(crate) fn size(message: &Message) -> usize {
    let attributes = message.attributes.iter();
    let attributes = attributes.map(|(name, value)| name.len() + "String".len() + value.len());
    message.body.len() + attributes.sum::<usize>()
}

/// Refuses a message that no batch can hold: of more than `most` bytes, attributes included.
pub(crate) fn fits(queue: &'static str, message: &Message, most: usize) -> Result<(), QueueError> {
    let bytes = size(message);
    if bytes <= most {
        return Ok(());
    }
    Err(QueueError::Failed {
        queue,
        cause: format!("a message has {bytes} bytes with its attributes; it may have {most}"),
    })
}

/// How many of the first messages go together: `sizes` in order, at most `most` bytes; the first always goes.
pub(crate) fn first(sizes: impl IntoIterator<Item = usize>, most: usize) -> usize {
    let mut bytes = 0usize;
    let mut count = 0;
    for size in sizes.into_iter().take(MOST_ENTRIES) {
        bytes = bytes.saturating_add(size);
        if count > 0 && bytes > most {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_full_at_ten_entries_or_its_bytes() {
        assert_eq!(first([], 100), 0);
        assert_eq!(first([1; 25], 100), 10);
        assert_eq!(first([40, 40, 40], 100), 2);
        assert_eq!(first([100, 1], 100), 1);
        assert_eq!(
            first([500, 1], 100),
            1,
            "what is too large goes alone and is refused there"
        );
    }

    #[test]
    fn a_message_counts_with_its_attributes() {
        let message = Message {
            body: "12345".to_owned(),
            attributes: vec![("state".to_owned(), "FAILED".to_owned())],
        };
        assert_eq!(size(&message), 5 + 5 + 6 + 6);
        assert!(fits("q", &message, 22).is_ok());
        let said = fits("results", &message, 21).unwrap_err().to_string();
        assert!(
            said.contains("results") && said.contains("22 bytes") && said.contains("have 21"),
            "{said}"
        );
    }
}
