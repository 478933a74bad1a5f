//! What a service says of each entry of a batch.

use super::{Failed, Refused};

/// An entry that was not taken, as the service tells of it.
pub(crate) struct Told<'a> {
    /// The entry's id: its place in the batch.
    pub(crate) id: &'a str,
    /// Whether the sender is to blame, so that sending it again cannot help.
    pub(crate) sender_fault: bool,
    pub(crate) code: &'a str,
    pub(crate) message: Option<&'a str>,
}

/// The entries of a batch of `count` that were not taken. Only one that the service calls taken is: of one that it does
/// not mention nobody knows, so it is sent again.
pub(crate) fn not_taken<'a>(
    count: usize,
    taken: impl IntoIterator<Item = &'a str>,
    failed: impl IntoIterator<Item = Told<'a>>,
) -> Vec<Failed> {
    let mut entries: Vec<Option<Failed>> = (0..count).map(unmentioned).collect();
    let place = |id: &str| id.parse::<usize>().ok().filter(|index| *index < count);
    for index in taken.into_iter().filter_map(place) {
        entries[index] = None;
    }
    for told in failed {
        if let Some(index) = place(told.id) {
            entries[index] = Some(Failed {
                index,
                again: !told.sender_fault,
                cause: format!("{}: {}", told.code, told.message.unwrap_or("not taken")),
            });
        }
    }
    entries.into_iter().flatten().collect()
}

fn unmentioned(index: usize) -> Option<Failed> {
    Some(Failed {
        index,
        again: true,
        cause: "the service did not say what became of it".to_owned(),
    })
}

/// An entry that could not even be written down.
pub(crate) fn unbuilt(error: &aws_smithy_types::error::operation::BuildError) -> Refused {
    Refused {
        again: false,
        cause: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, sender_fault: bool) -> Told<'_> {
        Told {
            id,
            sender_fault,
            code: "Code",
            message: None,
        }
    }

    #[test]
    fn only_what_is_called_taken_is() {
        let not = not_taken(4, ["0"], [told("1", true), told("2", false)]);
        let places: Vec<_> = not.iter().map(|entry| (entry.index, entry.again)).collect();
        assert_eq!(places, [(1, false), (2, true), (3, true)]);
        assert_eq!(not[0].cause, "Code: not taken");
    }

    #[test]
    fn an_id_that_was_never_given_is_nobodys() {
        let not = not_taken(1, ["x", "7"], [told("y", true), told("9", true)]);
        assert_eq!((not.len(), not[0].index, not[0].again), (1, 0, true));
    }
}
