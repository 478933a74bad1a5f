//! What past answers have taught is kept from one process to the next.

use crate::fixture::*;
use smoother_core::estimate::{Answered, Outputs};
use smoother_core::{ModelId, Tokens};
use tempfile::TempDir;

const MAX: Tokens = Tokens::new(4_096);

fn taught(outputs: &mut Outputs, model: &ModelId, who: &str, answers: u64) {
    for n in 0..answers {
        let answered = Answered {
            model,
            tenant: &tenant(who),
            max_output: MAX,
            output: Tokens::new(200 + n % 100),
            cut_short: None,
        };
        outputs.observe(&answered, at(n));
    }
}

#[tokio::test]
async fn what_was_learned_outlives_the_process() {
    let dir = TempDir::new().unwrap();
    let model = ModelId::new("m").unwrap();
    let mut outputs = Outputs::default();
    taught(&mut outputs, &model, "acme", 300);

    let store = open(dir.path()).unwrap().store;
    assert!(store.outputs().await.unwrap().is_empty());
    store.keep_outputs(outputs.to_keep(true)).await.unwrap();
    // A later value of the same keys takes the place of the first.
    taught(&mut outputs, &model, "acme", 300);
    store.keep_outputs(outputs.to_keep(true)).await.unwrap();
    store.close().await.unwrap();
    drop(store);

    let store = open(dir.path()).unwrap().store;
    let kept = store.outputs().await.unwrap();
    assert_eq!(kept.len(), 2, "the tenant's and the model's");
    let mut again = Outputs::default();
    again.restore(kept.clone());
    let acme = tenant("acme");
    assert_eq!(
        again.right_size(&model, &acme, MAX),
        outputs.right_size(&model, &acme, MAX)
    );
    assert_eq!(
        again.expected(&model, &acme, MAX),
        outputs.expected(&model, &acme, MAX)
    );
    assert!(again.right_size(&model, &acme, MAX).is_some());

    let forgotten = kept.into_iter().map(|(key, _)| (key, None)).collect();
    store.keep_outputs(forgotten).await.unwrap();
    assert!(store.outputs().await.unwrap().is_empty());
    store.close().await.unwrap();
}
