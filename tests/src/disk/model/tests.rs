use super::*;
use crate::disk::image::SECTOR;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeSet;

/// A log made by hand.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

impl Made {
    fn with(mut self, event: Event) -> Self {
        self.records.push(Record {
            end: self.bytes.len(),
            event,
        });
        self
    }

    fn open(self, handle: u32, path: &str, made: bool, dir: bool) -> Self {
        let path = path.to_owned();
        self.with(Event::Open {
            handle,
            path,
            made,
            dir,
        })
    }

    fn write(mut self, handle: u32, offset: usize, bytes: &[u8]) -> Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let bytes = start..self.bytes.len();
        self.with(Event::Write {
            handle,
            offset,
            bytes,
        })
    }

    fn sync(self, handle: u32, failed: bool) -> Self {
        let number = self.records.len() as u64;
        self.with(Event::SyncBegins { handle, number })
            .with(Event::SyncEnds {
                handle,
                number,
                failed,
            })
    }

    fn named(self, from: &str, to: &str) -> Self {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.with(Event::Rename { from, to })
    }

    fn model(&self) -> Model {
        let mut model = Model::of(&Image::default()).unwrap();
        for record in &self.records {
            model.apply(record, &self.bytes).unwrap();
        }
        model
    }

    /// What many power cuts leave.
    fn cuts(&self, luck: Luck) -> Vec<Image> {
        let model = self.model();
        (0..1_000)
            .map(|seed| model.power_cut(&mut StdRng::seed_from_u64(seed), luck))
            .collect()
    }
}

/// A file `f` with a durable name.
fn file() -> Made {
    Made::default()
        .open(1, "", false, true)
        .open(2, "f", true, false)
        .sync(1, false)
}

#[test]
fn what_was_synced_is_there_and_the_rest_may_be() {
    let made = file().write(2, 0, b"kept").sync(2, false).write(2, 4, b"more");
    let found: BTreeSet<Vec<u8>> = made
        .cuts(Luck::Mixed)
        .into_iter()
        .map(|image| image.files["f"].clone())
        .collect();
    assert!(
        found.contains(&b"kept"[..]) && found.contains(&b"keptmore"[..]),
        "{found:?}"
    );
    assert!(
        found.iter().all(|content| content.starts_with(b"kept")),
        "{found:?}"
    );
    assert!(
        made.cuts(Luck::None)
            .iter()
            .all(|image| image.files["f"] == b"kept")
    );
    assert!(
        made.cuts(Luck::All)
            .iter()
            .all(|image| image.files["f"] == b"keptmore")
    );
    assert_eq!(made.model().live().files["f"], b"keptmore");
}

#[test]
fn each_sector_has_one_of_its_versions() {
    let made = file()
        .write(2, 0, &[1; 2 * SECTOR])
        .sync(2, false)
        .write(2, 0, &[2; 2 * SECTOR])
        .write(2, 0, &[3; 2 * SECTOR]);
    let mut found = BTreeSet::new();
    for image in made.cuts(Luck::Mixed) {
        let content = &image.files["f"];
        for sector in content.chunks(SECTOR) {
            assert!(
                sector.iter().all(|byte| *byte == sector[0]),
                "a sector is written whole"
            );
        }
        found.insert((content[0], content[SECTOR]));
    }
    assert_eq!(found.len(), 9, "{found:?}");
}

#[test]
fn a_write_while_it_is_synced_is_not_durable_by_that() {
    let made = file()
        .write(2, 0, b"a")
        .with(Event::SyncBegins {
            handle: 2,
            number: 99,
        })
        .write(2, 1, b"b")
        .with(Event::SyncEnds {
            handle: 2,
            number: 99,
            failed: false,
        });
    assert!(made.cuts(Luck::None).iter().all(|image| image.files["f"] == b"a"));
}

#[test]
fn a_name_is_durable_with_its_directory_and_not_with_its_file() {
    let made = Made::default()
        .open(1, "", false, true)
        .open(2, "f", true, false)
        .write(2, 0, b"x")
        .sync(2, false);
    assert!(made.cuts(Luck::None).iter().all(|image| image.files.is_empty()));
    let made = made.sync(1, false);
    assert!(made.cuts(Luck::None).iter().all(|image| image.files["f"] == b"x"));
}

#[test]
fn a_renamed_file_is_never_gone() {
    let mkdir = |path: &str| Event::Mkdir {
        path: path.to_owned(),
    };
    let made = Made::default()
        .open(1, "", false, true)
        .with(mkdir("a"))
        .with(mkdir("b"))
        .sync(1, false)
        .open(2, "a", false, true)
        .open(3, "a/f", true, false)
        .sync(2, false)
        .named("a/f", "b/f");
    let mut found = BTreeSet::new();
    for image in made.cuts(Luck::Mixed) {
        let names: Vec<String> = image.files.into_keys().collect();
        assert!(!names.is_empty());
        found.insert(names);
    }
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn what_failed_to_be_synced_is_not_saved_by_the_next_sync() {
    let made = file().write(2, 0, b"x").sync(2, true).sync(2, false);
    assert!(
        made.cuts(Luck::None)
            .iter()
            .all(|image| image.files["f"].is_empty())
    );
    let made = made.write(2, 0, b"y").sync(2, false);
    assert!(made.cuts(Luck::None).iter().all(|image| image.files["f"] == b"y"));
}

#[test]
fn nothing_written_after_a_cut_is_there_without_it() {
    let made = file()
        .write(2, 0, b"long")
        .sync(2, false)
        .with(Event::Truncate { handle: 2, length: 0 })
        .write(2, 0, b"ab");
    let found: BTreeSet<Vec<u8>> = made
        .cuts(Luck::Mixed)
        .into_iter()
        .map(|image| image.files["f"].clone())
        .collect();
    let possible = [&b"long"[..], b"", b"ab", b"\0\0"];
    assert!(
        found.iter().all(|content| possible.contains(&content.as_slice())),
        "{found:?}"
    );
    assert!(found.len() >= 3, "{found:?}");
}

#[test]
fn a_disk_that_was_put_down_is_durable() {
    let image = file().write(2, 0, b"x").model().live();
    let again = Model::of(&image).unwrap();
    assert_eq!(again.power_cut(&mut StdRng::seed_from_u64(1), Luck::None), image);
    assert_eq!(again.live(), image);
}
