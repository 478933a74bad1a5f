//! Runs cases and tells which of them failed.

use smoother_core::ports::BoxFuture;
use std::any::Any;
use std::time::Duration;

/// A case that waits longer than this waits for something that will not come.
const PATIENCE: Duration = Duration::from_secs(300);

/// One promise, tested on a fresh stand.
pub struct Case<S> {
    /// The promise, as the function's name.
    pub name: &'static str,
    /// Panics where it is not kept.
    pub run: fn(S) -> BoxFuture<'static, ()>,
}

/// The cases with these functions.
macro_rules! cases {
    ($stand:ty; $($name:ident),+ $(,)?) => {
        /// The cases of this module.
        pub const CASES: &[$crate::conformance::Case<$stand>] = &[
            $($crate::conformance::Case { name: stringify!($name), run: |stand| Box::pin($name(stand)) }),+
        ];
    };
}
pub(super) use cases;

/// Runs every case on a stand of its own; gives the names of those that failed, each with what it said.
pub async fn failures<S, F>(cases: &[Case<S>], fresh: impl Fn() -> F) -> Vec<(&'static str, String)>
where
    S: Send + 'static,
    F: Future<Output = S>,
{
    let mut failed = Vec::new();
    for case in cases {
        let stand = fresh().await;
        let run = tokio::spawn(tokio::time::timeout(PATIENCE, (case.run)(stand)));
        match run.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => failed.push((case.name, "it waits for what does not come".to_owned())),
            Err(error) => failed.push((case.name, said(error.try_into_panic().ok()))),
        }
    }
    failed
}

/// Panics with every case that failed.
pub async fn pass<S, F>(cases: &[Case<S>], fresh: impl Fn() -> F)
where
    S: Send + 'static,
    F: Future<Output = S>,
{
    let failed = failures(cases, fresh).await;
    assert!(
        failed.is_empty(),
        "{} of {} cases failed: {failed:#?}",
        failed.len(),
        cases.len()
    );
}

fn said(panic: Option<Box<dyn Any + Send>>) -> String {
    let text = panic.and_then(|panic| match panic.downcast::<String>() {
        Ok(text) => Some(*text),
        Err(other) => other.downcast::<&str>().ok().map(|text| (*text).to_owned()),
    });
    text.unwrap_or_else(|| "it panicked".to_owned())
}
