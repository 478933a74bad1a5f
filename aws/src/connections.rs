//! Who listens on a WebSocket, and for what.
//!
//! | item | pk | sk | read by |
//! |---|---|---|---|
//! | connection | `W#{connection}` | `CONN` | whose a connection is |
//! | subscription | `W#{connection}` | `SUB#{id}` | what goes with the connection |
//! | the same | `R#{id}` | `W#{connection}` | who is to hear of a request |

use crate::fault::Fault;
use crate::retry::Patience;
use crate::table::condition::{Expression, Write};
use crate::table::item::{Item, Reading, Writing};
use crate::table::keys::{self, CONN, Key};
use crate::table::{Query, Table, Transacted};
use futures_util::future::try_join_all;
use smoother_core::ports::{BoxFuture, Clock, ConnectionId, Connections, Entropy, StoreError};
use smoother_core::{Millis, RequestId, TenantId};
use std::fmt;
use std::sync::Arc;

/// API Gateway ends every connection after two hours; what a lost message left behind goes soon after.
const KEPT: Millis = Millis::from_secs(3 * 3_600);
/// Subscriptions removed together.
const CHUNK: usize = 25;

/// Connections in the table.
#[derive(Clone)]
pub struct DynamoConnections {
    table: Table,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for DynamoConnections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoConnections")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

impl DynamoConnections {
    /// In this table.
    pub fn new(
        client: aws_sdk_dynamodb::Client,
        table: &str,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            table: Table::new(client, table, Patience::default(), chance),
            clock,
        }
    }

    fn writing(&self, key: &Key) -> Writing {
        let until = self.clock.now() + KEPT;
        Writing::new(key).number("ttl", until.as_millis().div_ceil(1_000))
    }

    async fn sort_keys(&self, pk: String, prefix: &str) -> Result<Vec<String>, Fault> {
        let query = Query {
            index: None,
            keys: Expression::new("#pk = :pk AND begins_with(#sk, :sk)")
                .text(":pk", pk)
                .text(":sk", prefix),
            forward: true,
        };
        let found = self.table.query(&query, usize::MAX).await?;
        let sort_key = |item: &Item| Ok(Reading::new(item)?.text("sk")?.to_owned());
        found.items.iter().map(sort_key).collect()
    }

    async fn forget(&self, connection: &ConnectionId) -> Result<(), Fault> {
        let pk = keys::connection(connection);
        let subscribed = self.sort_keys(pk.clone(), SUBSCRIBED).await?;
        // The requests' side first: what is cut short here is found again.
        for sks in subscribed.chunks(CHUNK) {
            let theirs = sks.iter().filter_map(|sk| sk.strip_prefix(SUBSCRIBED));
            self.remove(theirs.map(|id| Key::new(format!("R#{id}"), pk.clone())).collect())
                .await?;
            self.remove(sks.iter().map(|sk| Key::new(pk.clone(), sk)).collect())
                .await?;
        }
        self.remove(vec![Key::new(pk, CONN)]).await
    }

    async fn remove(&self, keys: Vec<Key>) -> Result<(), Fault> {
        try_join_all(keys.iter().map(|key| self.table.delete(key, None))).await?;
        Ok(())
    }
}

const SUBSCRIBED: &str = "SUB#";

impl Connections for DynamoConnections {
    fn opened(&self, connection: &ConnectionId, tenant: &TenantId) -> BoxFuture<'_, Result<(), StoreError>> {
        let key = Key::new(keys::connection(connection), CONN);
        let item = self.writing(&key).text("tenant", tenant.as_str()).done();
        Box::pin(async move {
            self.table.put(&item, None).await?;
            Ok(())
        })
    }

    fn tenant(&self, connection: &ConnectionId) -> BoxFuture<'_, Result<Option<TenantId>, StoreError>> {
        let key = Key::new(keys::connection(connection), CONN);
        Box::pin(async move {
            let Some(item) = self.table.get(&key).await? else {
                return Ok(None);
            };
            let reading = Reading::new(&item)?;
            let tenant = TenantId::new(reading.text("tenant")?);
            Ok(Some(tenant.map_err(|error| reading.damaged("tenant", error))?))
        })
    }

    fn subscribe(
        &self,
        connection: &ConnectionId,
        request: RequestId,
    ) -> BoxFuture<'_, Result<(), StoreError>> {
        let pk = keys::connection(connection);
        let ours = self
            .writing(&Key::new(pk.clone(), format!("{SUBSCRIBED}{request}")))
            .done();
        let theirs = self.writing(&Key::new(keys::request(request), pk)).done();
        Box::pin(async move {
            let token = self.table.mark();
            match self
                .table
                .transact(&token, &[Write::put(ours), Write::put(theirs)])
                .await?
            {
                Transacted::Done => Ok(()),
                Transacted::Unmet(_) => Err(StoreError::Failed(
                    "a write without a condition met one".to_owned(),
                )),
            }
        })
    }

    fn subscribers(&self, request: RequestId) -> BoxFuture<'_, Result<Vec<ConnectionId>, StoreError>> {
        Box::pin(async move {
            let found = self.sort_keys(keys::request(request), "W#").await?;
            Ok(found.iter().filter_map(|sk| keys::connection_of(sk)).collect())
        })
    }

    fn closed(&self, connection: &ConnectionId) -> BoxFuture<'_, Result<(), StoreError>> {
        let connection = connection.clone();
        Box::pin(async move { Ok(self.forget(&connection).await?) })
    }
}
