//! Power cuts while a data directory is made.

use std::fs;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::StdRng;
use smoother_core::Timestamp;
use smoother_embedded::{OpenOptions, SqliteStore, SystemClock};
use smoother_tests::disk::image::Image;
use smoother_tests::disk::log::{Event, records};
use smoother_tests::disk::model::{Luck, Model};
use tempfile::TempDir;

use crate::house::House;

/// Before anything is in it, a database is made in many steps. Cut between any two of them, it is begun anew or gone
/// on with, and never taken for damaged.
#[tokio::test]
async fn a_power_cut_at_any_moment_of_the_first_start_is_no_damage() {
    let house = House::open().await;
    let (mut server, _) = house.start("").await;
    server.kill().await.unwrap();
    let log = fs::read(house.place.log()).unwrap();
    let records = records(&log).unwrap();
    let mut model = Model::of(&Image::default()).unwrap();
    let mut opened: Vec<Image> = Vec::new();
    for (moment, record) in records.iter().enumerate() {
        model.apply(record, &log).unwrap();
        // The log's zeros are all alike.
        if matches!(record.event, Event::Zeros { .. }) {
            continue;
        }
        let lucks = match moment % 3 {
            0 => vec![Luck::None, Luck::Mixed],
            _ => vec![Luck::None],
        };
        for luck in lucks {
            let random = &mut StdRng::seed_from_u64(moment as u64);
            let image = model.power_cut(random, luck);
            if opened.contains(&image) {
                continue;
            }
            let folder = TempDir::new().unwrap();
            image.put(folder.path()).unwrap();
            let options = OpenOptions::new(folder.path().join("data"));
            let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
            let outcome = SqliteStore::open(&options, clock).map(drop);
            assert!(
                outcome.is_ok(),
                "after {moment} {record:?}, {luck:?}: {outcome:?}"
            );
            opened.push(image);
        }
    }
    assert!(opened.len() > 15, "{}", opened.len());
}
