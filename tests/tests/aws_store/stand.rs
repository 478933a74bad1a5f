//! A store on a table and a bucket of its own.

use super::emulator;
use super::outbox::StreamOutbox;
use super::weather::Weather;
use aws_sdk_s3::config::Builder as S3Builder;
use smoother_aws::{DynamoHold, DynamoStore, Lifetimes, Parts, Patience, Terms};
use smoother_core::ports::BoxFuture;
use smoother_core::{LaneId, Millis, Timestamp};
use smoother_embedded::{OsEntropy, SystemClock};
use smoother_tests::conformance::store::{Bed, Ports, Restart, Stand};
use std::sync::Arc;
use std::time::Duration;

/// A table and a bucket.
#[derive(Debug, Clone)]
pub struct Place {
    pub table: String,
    pub bucket: String,
}

impl Place {
    /// Made anew.
    pub async fn fresh() -> Self {
        let place = Self {
            table: emulator::fresh("requests"),
            bucket: emulator::fresh("calls"),
        };
        let calm = Weather::default();
        emulator::make_table(&dynamodb(&calm), &place.table, None).await;
        s3(&calm)
            .create_bucket()
            .bucket(&place.bucket)
            .send()
            .await
            .unwrap();
        place
    }

    /// A process's store there.
    pub fn store(&self, weather: &Weather) -> DynamoStore {
        self.priced(weather, 5)
    }

    /// The same, where a token of output costs so many.
    pub fn priced(&self, weather: &Weather, burndown: u64) -> DynamoStore {
        DynamoStore::new(Parts {
            dynamodb: dynamodb(weather),
            table: self.table.clone(),
            s3: s3(weather),
            bucket: self.bucket.clone(),
            patience: patience(),
            terms: Terms {
                lifetimes: Lifetimes::new(Millis::from_secs(7 * 86_400)),
                burndowns: [(LaneId::new("sonnet").unwrap(), burndown)].into(),
            },
            clock: Arc::new(SystemClock::new(Timestamp::EPOCH)),
            entropy: Arc::new(OsEntropy),
        })
    }

    /// A process's hold there.
    pub fn hold(&self, weather: &Weather) -> DynamoHold {
        DynamoHold::patient(dynamodb(weather), &self.table, patience(), Arc::new(OsEntropy))
    }
}

/// Short pauses: what is waited for here is never a machine that gets well.
fn patience() -> Patience {
    Patience {
        tries: 20,
        longest_pause: Duration::from_millis(30),
        ..Patience::default()
    }
}

pub fn dynamodb(weather: &Weather) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&weather.environment())
}

pub fn s3(weather: &Weather) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(
        S3Builder::from(&weather.environment())
            .force_path_style(true)
            .build(),
    )
}

struct AwsStand {
    place: Place,
    store: Arc<DynamoStore>,
    outbox: Arc<StreamOutbox>,
    weather: Weather,
}

impl Stand for AwsStand {
    fn ports(&self) -> Ports {
        Ports {
            store: self.store.clone(),
            payloads: self.store.clone(),
            outbox: self.outbox.clone(),
        }
    }

    /// What is under way may be made or not when a process dies; here it is made.
    fn restart(self: Box<Self>, _: Restart) -> BoxFuture<'static, Box<dyn Stand>> {
        Box::pin(async move {
            self.store.at_rest().await;
            let store = Arc::new(self.place.store(&self.weather));
            Box::new(Self { store, ..*self }) as Box<dyn Stand>
        })
    }

    /// A stream keeps the order of each row's versions, and no other.
    fn tells_in_order(&self) -> bool {
        false
    }

    /// A lane's holder takes it up by its ledger.
    fn recovers(&self) -> bool {
        false
    }
}

/// On a fresh table and bucket, in this weather.
pub async fn bed(weather: Weather) -> Bed {
    let place = Place::fresh().await;
    let stand = AwsStand {
        store: Arc::new(place.store(&weather)),
        outbox: Arc::new(StreamOutbox::open(&place.table).await),
        place,
        weather,
    };
    Bed::new(Box::new(stand))
}
