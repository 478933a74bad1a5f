//! Records of one event, each on its own: one that fails, or panics, fails alone.

use std::future::Future;
use tokio::task::JoinHandle;

/// A record that has to come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The record's id, as its source knows it.
    pub(crate) id: String,
    /// Why.
    pub(crate) why: String,
}

/// Works on all records at once; answers those that have to come again, in the order of the records.
pub(crate) async fn each<R, F>(
    records: impl IntoIterator<Item = (String, R)>,
    work: impl Fn(R) -> F,
) -> Vec<Failed>
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let begun: Vec<(String, JoinHandle<Result<(), String>>)> = records
        .into_iter()
        .map(|(id, record)| (id, tokio::spawn(work(record))))
        .collect();
    let mut failed = Vec::new();
    for (id, outcome) in begun {
        let why = match outcome.await {
            Ok(Ok(())) => continue,
            Ok(Err(why)) => why,
            Err(error) if error.is_panic() => "it made the function panic".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::error!(record = id, why, "a record has to come again");
        failed.push(Failed { id, why });
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_record_fails_or_panics_alone() {
        let records = ["a", "b", "c", "d"].map(|id| (id.to_owned(), id));
        let failed = each(records, |id| async move {
            match id {
                "b" => Err("no".to_owned()),
                "c" => panic!("a bad record"),
                _ => Ok(()),
            }
        })
        .await;
        let ids: Vec<&str> = failed.iter().map(|failed| failed.id.as_str()).collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!(failed[0].why, "no");
    }
}
