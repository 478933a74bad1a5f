//! Credentials that are kept, and renewed before they run out.

use crate::errors;
use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::identity::Identity;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, ready};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::task::AbortHandle;

/// So long before their end credentials are renewed, while the old ones still serve.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// Credentials without an end are looked up anew so often: somebody may have put others into the profile.
const UNENDING: Duration = Duration::from_secs(15 * 60);
/// Between two tries at renewing what still serves.
const AGAIN: Duration = Duration::from_secs(30);
/// A source that has not answered by then is taken for one that failed. The SDK's own sources repeat what fails.
const PATIENCE: Duration = Duration::from_secs(20);

type Found = Result<Arc<Held>, Arc<str>>;
type Finding = Shared<BoxFuture<'static, Found>>;

/// A source of credentials, and what it gave last.
///
/// It is asked by a task of its own, once for all who wait; and calls wait only while there is nothing that serves.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Whose they are, for the log.
    name: String,
    source: SharedCredentialsProvider,
    held: ArcSwapOption<Held>,
    lookup: Mutex<Option<Lookup>>,
}

#[derive(Debug)]
struct Held {
    identity: Identity,
    renew_at: SystemTime,
    /// None: for ever.
    ends_at: Option<SystemTime>,
}

struct Lookup {
    began: SystemTime,
    task: AbortHandle,
    found: Finding,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup")
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}

impl Kept {
    pub fn new(name: String, source: SharedCredentialsProvider) -> Arc<Self> {
        Arc::new(Self {
            name,
            source,
            held: ArcSwapOption::empty(),
            lookup: Mutex::new(None),
        })
    }

    /// What to sign with now; else why there is nothing.
    pub async fn get(self: &Arc<Self>, now: SystemTime) -> Result<Identity, Arc<str>> {
        let held = self.held.load_full().filter(|held| held.serves(now));
        if let Some(held) = &held
            && now < held.renew_at
        {
            return Ok(held.identity.clone());
        }
        let finding = self.look(now);
        match held {
            Some(held) => Ok(held.identity.clone()),
            None => finding.await.map(|held| held.identity.clone()),
        }
    }

    /// The lookup under way, or else a new one.
    fn look(self: &Arc<Self>, now: SystemTime) -> Finding {
        let mut lookup = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is much older than it may get was asleep with its machine: its answer is none to wait for.
        if let Some(running) = lookup.as_ref()
            && !running.task.is_finished()
            && now < running.began + 2 * PATIENCE
        {
            return running.found.clone();
        }
        // It may have ended since the caller looked.
        let held = self.held.load_full().filter(|held| held.serves(now));
        if let Some(held) = held
            && now < held.renew_at
        {
            return ready(Ok(held)).boxed().shared();
        }
        let asking = tokio::spawn(Arc::clone(self).ask(now));
        let task = asking.abort_handle();
        let found = async move {
            let ended: Result<Found, _> = asking.await;
            ended.unwrap_or_else(|error| Err(error.to_string().into()))
        };
        let found = found.boxed().shared();
        *lookup = Some(Lookup {
            began: now,
            task,
            found: found.clone(),
        });
        found
    }

    async fn ask(self: Arc<Self>, now: SystemTime) -> Found {
        let asked = tokio::time::timeout(PATIENCE, self.source.provide_credentials()).await;
        let given = match asked {
            Ok(given) => given.map_err(|error| errors::chain(&error)),
            Err(_) => Err(format!("no credentials within {} s", PATIENCE.as_secs())),
        };
        let name = &self.name;
        match given {
            Ok(credentials) => {
                let held = Arc::new(Held::new(credentials, now));
                self.held.store(Some(Arc::clone(&held)));
                Ok(held)
            }
            Err(why) => {
                if let Some(held) = self.held.load_full().filter(|held| held.serves(now)) {
                    tracing::warn!(
                        credentials = name,
                        why,
                        "credentials could not be renewed; those at hand serve on"
                    );
                    self.held.store(Some(Arc::new(held.put_off(now))));
                }
                Err(format!("credentials of {name}: {why}").into())
            }
        }
    }
}

impl Held {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
        // A source may give what ends soon or has ended, where it has nothing newer: it is not asked at every call.
        let soonest = now + AGAIN;
        let ends_at = credentials.expiry().map(|end| end.max(soonest));
        let renew_at = match ends_at {
            Some(end) => end.checked_sub(AHEAD).unwrap_or(now).max(soonest),
            None => now + UNENDING,
        };
        Self {
            identity: credentials.into(),
            renew_at,
            ends_at,
        }
    }

    fn serves(&self, now: SystemTime) -> bool {
        self.ends_at.is_none_or(|end| now < end)
    }

    fn put_off(&self, now: SystemTime) -> Self {
        Self {
            identity: self.identity.clone(),
            renew_at: now + AGAIN,
            ends_at: self.ends_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_credential_types::provider::error::CredentialsError;
    use aws_credential_types::provider::{Result as Given, future};
    use std::collections::VecDeque;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::UNIX_EPOCH;

    /// The key's id, and when it ends; none: a failure.
    type Gives = Option<(&'static str, Option<u64>)>;

    /// Gives one after the other, each at the end of a second; then nothing any more.
    #[derive(Debug, Default)]
    struct Script {
        gives: Mutex<VecDeque<Gives>>,
        asked: AtomicUsize,
    }

    #[derive(Debug, Clone)]
    struct Source(Arc<Script>);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(async {
                self.0.asked.fetch_add(1, Ordering::Relaxed);
                let next: Option<_> = self.0.gives.lock().unwrap().pop_front();
                tokio::time::sleep(Duration::from_secs(1)).await;
                let given: Given = match next {
                    Some(Some((id, end))) => Ok(Credentials::new(id, "s", None, end.map(at), "test")),
                    Some(None) => Err(CredentialsError::not_loaded("out of order")),
                    None => std::future::pending().await,
                };
                given
            })
        }
    }

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn kept(gives: impl IntoIterator<Item = Gives>) -> (Arc<Kept>, Arc<Script>) {
        let script = Arc::new(Script {
            gives: Mutex::new(gives.into_iter().collect()),
            asked: AtomicUsize::new(0),
        });
        let source = SharedCredentialsProvider::new(Source(Arc::clone(&script)));
        (Kept::new("the test".to_owned(), source), script)
    }

    async fn id(kept: &Arc<Kept>, second: u64) -> Result<String, Arc<str>> {
        let identity = kept.get(at(second)).await?;
        Ok(identity.data::<Credentials>().unwrap().access_key_id().to_owned())
    }

    /// Until the lookup that runs has ended; its clock is virtual.
    async fn ended(kept: &Kept) {
        let found = kept.lookup.lock().unwrap().as_ref().unwrap().found.clone();
        let _ = found.await;
    }

    fn asked(script: &Script) -> usize {
        script.asked.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_renewed_five_minutes_before_their_end_while_calls_go_on() {
        let (kept, script) = kept([Some(("ONE", Some(3_600))), Some(("TWO", Some(7_200)))]);
        for second in [0, 1, 3_299, 3_300, 3_301] {
            assert_eq!(id(&kept, second).await.unwrap(), "ONE");
        }
        ended(&kept).await;
        assert_eq!(id(&kept, 3_302).await.unwrap(), "TWO");
        assert_eq!(asked(&script), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_end_they_are_looked_up_each_quarter_of_an_hour_and_serve_for_ever() {
        let (kept, script) = kept([Some(("ONE", None)), None, Some(("TWO", None))]);
        for second in [0, 899, 900] {
            assert_eq!(id(&kept, second).await.unwrap(), "ONE");
        }
        ended(&kept).await;
        assert_eq!(id(&kept, 929).await.unwrap(), "ONE");
        assert_eq!(asked(&script), 2, "the failure at 900 puts the next try off");
        assert_eq!(id(&kept, 930).await.unwrap(), "ONE");
        ended(&kept).await;
        assert_eq!(id(&kept, 931).await.unwrap(), "TWO");
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_does_not_serve_and_all_wait_for_one_lookup() {
        let (kept, script) = kept([Some(("ONE", Some(3_600))), Some(("TWO", Some(7_200)))]);
        id(&kept, 0).await.unwrap();
        let (one, other) = tokio::join!(id(&kept, 3_600), id(&kept, 3_600));
        assert_eq!((one.unwrap().as_str(), other.unwrap().as_str()), ("TWO", "TWO"));
        assert_eq!(asked(&script), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_nothing_newer_is_not_asked_at_every_call() {
        for end in [0, 200] {
            let old = Some(("ONE", Some(end)));
            let (kept, script) = kept([Some(("ZERO", Some(0))), old, old]);
            assert_eq!(id(&kept, 170).await.unwrap(), "ZERO");
            assert_eq!(id(&kept, 199).await.unwrap(), "ZERO");
            assert_eq!(asked(&script), 1);
            assert_eq!(id(&kept, 200).await.unwrap(), "ONE");
            assert_eq!(id(&kept, 229).await.unwrap(), "ONE");
            assert_eq!(asked(&script), 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_with_nothing_at_hand_is_told_and_the_next_call_asks_again() {
        let (kept, _) = kept([None, Some(("ONE", None))]);
        let why = id(&kept, 0).await.unwrap_err();
        assert!(why.contains("out of order") && why.contains("the test"), "{why}");
        assert_eq!(id(&kept, 1).await.unwrap(), "ONE");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_never_answers_fails_once_for_all_who_wait() {
        let (kept, script) = kept([]);
        let begun = tokio::time::Instant::now();
        let (one, other) = tokio::join!(id(&kept, 0), id(&kept, 0));
        assert!(one.unwrap_err().contains("20 s"));
        assert!(other.unwrap_err().contains("20 s"));
        assert_eq!((asked(&script), begun.elapsed()), (1, PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_leaves_takes_no_lookup_with_him() {
        let (kept, script) = kept([Some(("ONE", None))]);
        let left = tokio::time::timeout(Duration::from_millis(10), id(&kept, 0));
        left.await.unwrap_err();
        assert_eq!(id(&kept, 0).await.unwrap(), "ONE");
        assert_eq!(asked(&script), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_slept_with_its_machine_is_not_waited_for() {
        let (kept, script) = kept([Some(("ONE", None)), Some(("TWO", None))]);
        let left = tokio::time::timeout(Duration::from_millis(10), id(&kept, 0));
        left.await.unwrap_err();
        assert_eq!(id(&kept, 3_600).await.unwrap(), "TWO");
        assert_eq!(asked(&script), 2);
    }
}
