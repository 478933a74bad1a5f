//! Bodies that producers put into the bucket themselves.

use super::stand::{Place, s3};
use super::weather::Weather;
use smoother_aws::Inbox;
use smoother_core::ports::{Pointer, PointerError, Pointers};
use smoother_embedded::OsEntropy;
use std::sync::Arc;

fn pointer(bucket: &str, key: &str) -> Pointer {
    Pointer {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_in_the_inbox_is_read_and_nothing_else() {
    let (place, calm) = (Place::fresh().await, Weather::default());
    let client = s3(&calm);
    let bodies = [
        ("inbox/a/Ä 1.json", "{}"),
        ("bodies/secret", "another's"),
        ("inbox/", "folder"),
    ];
    for (key, body) in bodies {
        let put = client.put_object().bucket(&place.bucket).key(key);
        put.body(body.as_bytes().to_vec().into()).send().await.unwrap();
    }
    let inbox = Inbox::new(client, &place.bucket, Arc::new(OsEntropy));
    let ours = |key: &str| pointer(&place.bucket, key);
    assert_eq!(inbox.read(&ours("inbox/a/Ä 1.json"), 2).await.unwrap(), "{}");
    let large = inbox.read(&ours("inbox/a/Ä 1.json"), 1).await;
    assert!(
        matches!(
            large,
            Err(PointerError::TooLarge {
                bytes: 2,
                most: 1,
                ..
            })
        ),
        "{large:?}"
    );
    for foreign in [
        ours("bodies/secret"),
        ours("inbox/"),
        ours("/inbox/a"),
        pointer("others", "inbox/a"),
    ] {
        let Err(error @ PointerError::Foreign { .. }) = inbox.read(&foreign, 100).await else {
            panic!("{foreign:?} is not read");
        };
        assert!(
            error
                .to_string()
                .contains(&format!("s3://{}/inbox/", place.bucket)),
            "{error}"
        );
    }
    let missing = inbox.read(&ours("inbox/nothing"), 100).await;
    assert!(
        matches!(missing, Err(PointerError::Missing { .. })),
        "{missing:?}"
    );
}
