//! Who listens, and for what.

use super::stand::{Place, dynamodb};
use super::weather::Weather;
use smoother_aws::DynamoConnections;
use smoother_core::ports::{ConnectionId, Connections};
use smoother_core::{TenantId, Timestamp};
use smoother_embedded::{OsEntropy, SystemClock};
use smoother_tests::conformance::id;
use std::sync::Arc;

fn connection(name: &str) -> ConnectionId {
    ConnectionId::new(name).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribed_hears_until_the_connection_is_gone() {
    for weather in [Weather::default(), Weather::storm(2)] {
        let place = Place::fresh().await;
        let clock = Arc::new(SystemClock::new(Timestamp::EPOCH));
        let all = DynamoConnections::new(dynamodb(&weather), &place.table, clock, Arc::new(OsEntropy));
        let (a, b) = (connection("L0SM9cOFvHcCIhw="), connection("L0SM9cOFvHcCIhx="));
        assert_eq!(all.tenant(&a).await.unwrap(), None);
        for tenant in ["acme", "umbrella"] {
            let tenant = TenantId::new(tenant).unwrap();
            all.opened(&a, &tenant).await.unwrap();
            assert_eq!(all.tenant(&a).await.unwrap(), Some(tenant));
        }
        // Requests of which no row is stored yet, one of them twice.
        for n in (0..40).chain([7]) {
            all.subscribe(&a, id(n)).await.unwrap();
        }
        all.subscribe(&b, id(7)).await.unwrap();
        assert_eq!(all.subscribers(id(7)).await.unwrap(), [a.clone(), b.clone()]);
        assert_eq!(all.subscribers(id(39)).await.unwrap(), std::slice::from_ref(&a));
        for _ in 0..2 {
            all.closed(&a).await.unwrap();
            assert_eq!(all.tenant(&a).await.unwrap(), None);
            assert_eq!(all.subscribers(id(7)).await.unwrap(), std::slice::from_ref(&b));
            assert_eq!(all.subscribers(id(39)).await.unwrap(), []);
        }
    }
}
