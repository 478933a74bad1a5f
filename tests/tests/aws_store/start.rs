//! What a start finds out before anything is taken in.

use super::emulator;
use super::stand::{Place, dynamodb};
use super::weather::Weather;
use smoother_core::ports::StoreError;

async fn said(place: &Place) -> String {
    let checked = place.store(&Weather::default()).check().await;
    let Err(StoreError::Failed(why)) = checked else {
        panic!("{place:?} cannot be worked with: {checked:?}");
    };
    why
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_named() {
    let whole = Place::fresh().await;
    whole.store(&Weather::default()).check().await.unwrap();
    let no_table = Place {
        table: "nowhere".to_owned(),
        ..whole.clone()
    };
    assert!(said(&no_table).await.contains("there is no table nowhere"));
    let no_bucket = Place {
        bucket: "nowhere".to_owned(),
        ..whole.clone()
    };
    assert!(said(&no_bucket).await.contains("there is no bucket nowhere"));
    let old = Place {
        table: emulator::fresh("old"),
        ..whole
    };
    emulator::make_table(&dynamodb(&Weather::default()), &old.table, Some("due")).await;
    let why = said(&old).await;
    assert!(
        why.contains("index due is missing") && !why.contains("waiting"),
        "{why}"
    );
}
