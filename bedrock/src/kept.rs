//! Credentials that are kept, and renewed before they run out.

use crate::errors;
use arc_swap::ArcSwapOption;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::identity::Identity;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// So long before their end credentials are renewed, while the old ones still serve.
const AHEAD: Duration = Duration::from_secs(5 * 60);
/// Credentials without an end are looked up anew so often: somebody may have put others into the profile.
const UNENDING: Duration = Duration::from_secs(15 * 60);
/// Between two tries at renewing what still serves.
const AGAIN: Duration = Duration::from_secs(30);
/// A source that has not answered by then is taken for one that failed. The SDK's own sources repeat what fails.
const PATIENCE: Duration = Duration::from_secs(22);

/// A source of credentials, and what it gave last.
///
/// Calls wait for the source only while there is nothing that serves; one of them asks it, for all.
#[derive(Debug)]
pub(crate) struct Kept {
    source: SharedCredentialsProvider,
    held: ArcSwapOption<Held>,
    asking: Mutex<()>,
}

#[derive(Debug)]
struct Held {
    identity: Identity,
    renew_at: SystemTime,
    /// None: for ever.
    ends_at: Option<SystemTime>,
}

impl Kept {
    pub fn new(source: SharedCredentialsProvider) -> Self {
        Self {
            source,
            held: ArcSwapOption::empty(),
            asking: Mutex::new(()),
        }
    }

    /// What to sign with now; else why there is nothing.
    pub async fn get(&self, now: SystemTime) -> Result<Identity, String> {
        let held = self.held.load_full().filter(|held| held.serves(now));
        let Some(held) = held else {
            return self.first(now).await;
        };
        if now < held.renew_at {
            return Ok(held.identity.clone());
        }
        let Ok(_asking) = self.asking.try_lock() else {
            return Ok(held.identity.clone());
        };
        match self.ask(now).await {
            Ok(identity) => Ok(identity),
            Err(why) => {
                tracing::warn!(why, "credentials could not be renewed; those at hand serve on");
                self.held.store(Some(Arc::new(held.put_off(now))));
                Ok(held.identity.clone())
            }
        }
    }

    /// There is nothing that serves: everybody waits for the one who asks.
    async fn first(&self, now: SystemTime) -> Result<Identity, String> {
        let _asking = self.asking.lock().await;
        match self.held.load_full().filter(|held| held.serves(now)) {
            Some(held) => Ok(held.identity.clone()),
            None => self.ask(now).await,
        }
    }

    async fn ask(&self, now: SystemTime) -> Result<Identity, String> {
        let asked = tokio::time::timeout(PATIENCE, self.source.provide_credentials()).await;
        let credentials = match asked {
            Ok(given) => given.map_err(|error| errors::chain(&error))?,
            Err(_) => return Err(format!("no credentials within {} s", PATIENCE.as_secs())),
        };
        let held = Arc::new(Held::new(credentials, now));
        let identity = held.identity.clone();
        self.held.store(Some(held));
        Ok(identity)
    }
}

impl Held {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
        let ends_at = credentials.expiry();
        let renew_at = match ends_at {
            // A source may give what ends soon, as it has nothing newer yet: it is not asked at every call.
            Some(end) => (now + AGAIN).max(end.checked_sub(AHEAD).unwrap_or(now)),
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
    use std::sync::Mutex as Lock;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::UNIX_EPOCH;

    /// The key's id, and when it ends; none: a failure.
    type Gives = Option<(&'static str, Option<u64>)>;

    /// Gives one after the other, each at the end of a second.
    #[derive(Debug, Default)]
    struct Script {
        gives: Lock<VecDeque<Gives>>,
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

    fn kept(gives: impl IntoIterator<Item = Gives>) -> (Kept, Arc<Script>) {
        let script = Arc::new(Script {
            gives: Lock::new(gives.into_iter().collect()),
            asked: AtomicUsize::new(0),
        });
        let source = SharedCredentialsProvider::new(Source(Arc::clone(&script)));
        (Kept::new(source), script)
    }

    async fn id(kept: &Kept, second: u64) -> Result<String, String> {
        let identity = kept.get(at(second)).await?;
        Ok(identity.data::<Credentials>().unwrap().access_key_id().to_owned())
    }

    fn asked(script: &Script) -> usize {
        script.asked.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn they_are_renewed_five_minutes_before_their_end_and_not_sooner() {
        let (kept, script) = kept([Some(("ONE", Some(3_600))), Some(("TWO", Some(7_200)))]);
        for second in [0, 1, 3_299] {
            assert_eq!(id(&kept, second).await.unwrap(), "ONE");
        }
        assert_eq!(asked(&script), 1);
        assert_eq!(id(&kept, 3_300).await.unwrap(), "TWO");
        assert_eq!(id(&kept, 3_301).await.unwrap(), "TWO");
        assert_eq!(asked(&script), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_end_they_are_looked_up_each_quarter_of_an_hour_and_serve_for_ever() {
        let (kept, script) = kept([Some(("ONE", None)), None, Some(("TWO", None))]);
        for second in [0, 899, 900, 929] {
            assert_eq!(id(&kept, second).await.unwrap(), "ONE");
        }
        assert_eq!(asked(&script), 2, "the failure at 900 puts the next try off");
        assert_eq!(id(&kept, 930).await.unwrap(), "TWO");
    }

    #[tokio::test(start_paused = true)]
    async fn one_renews_while_the_others_go_on() {
        let (kept, script) = kept([Some(("ONE", Some(3_600))), Some(("TWO", Some(7_200)))]);
        id(&kept, 0).await.unwrap();
        let (one, other) = tokio::join!(id(&kept, 3_400), id(&kept, 3_400));
        assert_eq!((one.unwrap().as_str(), other.unwrap().as_str()), ("TWO", "ONE"));
        assert_eq!(asked(&script), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_does_not_serve_and_all_wait_for_one() {
        let (kept, script) = kept([Some(("ONE", Some(3_600))), Some(("TWO", Some(7_200)))]);
        id(&kept, 0).await.unwrap();
        let (one, other) = tokio::join!(id(&kept, 3_600), id(&kept, 3_600));
        assert_eq!((one.unwrap().as_str(), other.unwrap().as_str()), ("TWO", "TWO"));
        assert_eq!(asked(&script), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_has_nothing_newer_is_not_asked_at_every_call() {
        let (kept, script) = kept([
            Some(("ONE", Some(200))),
            Some(("ONE", Some(200))),
            Some(("TWO", None)),
        ]);
        for second in [0, 29, 30, 59] {
            assert_eq!(id(&kept, second).await.unwrap(), "ONE");
        }
        assert_eq!(asked(&script), 2);
        assert_eq!(id(&kept, 200).await.unwrap(), "TWO");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_with_nothing_at_hand_is_told_and_the_next_call_asks_again() {
        let (kept, _) = kept([None, Some(("ONE", None))]);
        let why = id(&kept, 0).await.unwrap_err();
        assert!(why.contains("out of order"), "{why}");
        assert_eq!(id(&kept, 1).await.unwrap(), "ONE");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_never_answers_is_one_that_failed() {
        let (kept, _) = kept([]);
        let why = id(&kept, 0).await.unwrap_err();
        assert!(why.contains("22 s"), "{why}");
    }
}
