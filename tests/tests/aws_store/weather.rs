//! What stands between a store and its services: it counts what passes, and spoils some of it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    /// It is made, and its answer is lost.
    Lost,
    /// It is not made: the connection breaks.
    Broken,
    /// It is not made: the service is too busy.
    Throttled,
}

/// The weather between one process and its services.
#[derive(Clone, Default)]
pub struct Weather(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Draws what is spoiled; nothing where there is none.
    storm: Option<StdRng>,
    counts: BTreeMap<String, u64>,
    spoiled: u64,
}

impl fmt::Debug for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Weather")
    }
}

impl Weather {
    /// Every third call is spoiled.
    pub fn storm(seed: u64) -> Self {
        let weather = Self::default();
        weather.0.lock().unwrap().storm = Some(StdRng::seed_from_u64(seed));
        weather
    }

    /// Calls that passed since they were last asked for, by operation.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.0.lock().unwrap().counts)
    }

    /// How many calls were spoiled.
    pub fn spoiled(&self) -> u64 {
        self.0.lock().unwrap().spoiled
    }

    /// The environment of a process that lives in this weather.
    pub fn environment(&self) -> SdkConfig {
        let (weather, real) = (self.clone(), Builder::new().build_http());
        let http = http_client_fn(move |settings, components| {
            let real = real.http_connector(settings, components);
            SharedHttpConnector::new(Between {
                weather: weather.clone(),
                real,
            })
        });
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
            .endpoint_url(super::emulator::url())
            .retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled())
            .http_client(http)
            .build()
    }

    fn fate(&self, what: String) -> Fate {
        let mut state = self.0.lock().unwrap();
        let fate = match state.storm.as_mut().map(|chance| chance.random_range(0..9)) {
            Some(0) => Fate::Lost,
            Some(1) => Fate::Broken,
            Some(2) => Fate::Throttled,
            _ => Fate::Passes,
        };
        state.spoiled += u64::from(fate != Fate::Passes);
        *state.counts.entry(what).or_insert(0) += 1;
        fate
    }
}

#[derive(Debug)]
struct Between {
    weather: Weather,
    real: SharedHttpConnector,
}

impl HttpConnector for Between {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.split('.').nth(1));
        let is_table = target.is_some();
        let what = target.map_or_else(|| format!("{} object", request.method()), str::to_owned);
        let broken = || ConnectorError::io("spoiled by the test".into());
        match self.weather.fate(what) {
            Fate::Passes => self.real.call(request),
            Fate::Broken => HttpConnectorFuture::ready(Err(broken())),
            Fate::Throttled => HttpConnectorFuture::ready(Ok(throttled(is_table))),
            Fate::Lost => {
                let made = self.real.call(request);
                HttpConnectorFuture::new(async move {
                    made.await?;
                    Err(broken())
                })
            }
        }
    }
}

fn throttled(is_table: bool) -> HttpResponse {
    let (status, body): (u16, &str) = if is_table {
        (
            400,
            "{\"__type\":\"x#ThrottlingException\",\"message\":\"spoiled by the test\"}",
        )
    } else {
        (
            503,
            "<Error><Code>SlowDown</Code><Message>spoiled by the test</Message></Error>",
        )
    };
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
}
