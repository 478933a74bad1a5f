//! Which part of a data directory a file is.

/// What a rule may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Db,
    Wal,
    Journal,
    Mark,
    Lock,
    Payload,
    Dir,
    Other,
}

impl Place {
    pub const ALL: [(&str, Self); 8] = [
        ("db", Self::Db),
        ("wal", Self::Wal),
        ("journal", Self::Journal),
        ("mark", Self::Mark),
        ("lock", Self::Lock),
        ("payload", Self::Payload),
        ("dir", Self::Dir),
        ("other", Self::Other),
    ];

    /// The place of a file by its path below the root. Directories are known by their descriptor, not by their name.
    pub fn of(path: &[u8]) -> Self {
        let ends = |end: &[u8]| path.ends_with(end);
        match () {
            () if ends(b".db") => Self::Db,
            () if ends(b"-wal") => Self::Wal,
            () if ends(b"-journal") => Self::Journal,
            () if ends(b".mark") => Self::Mark,
            () if ends(b".lock") => Self::Lock,
            () if path.split(|byte| *byte == b'/').any(|part| part == b"payloads") => Self::Payload,
            () => Self::Other,
        }
    }
}

/// Whether a file is none of ours: memory that only looks like a file.
pub fn is_memory(path: &[u8]) -> bool {
    path.ends_with(b"-shm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_place_is_in_its_name() {
        for (path, place) in [
            ("data/smoother.db", Place::Db),
            ("data/smoother.db-wal", Place::Wal),
            ("data/smoother.db-journal", Place::Journal),
            ("data/smoother.mark", Place::Mark),
            ("data/smoother.lock", Place::Lock),
            ("data/payloads/tmp/0.body.1.2", Place::Payload),
            ("data/payloads/a0/0.body.1.2", Place::Payload),
            ("data/notes", Place::Other),
        ] {
            assert_eq!(Place::of(path.as_bytes()), place, "{path}");
        }
        assert!(is_memory(b"data/smoother.db-shm") && !is_memory(b"data/smoother.db"));
    }
}
