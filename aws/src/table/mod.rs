//! The table: one call to DynamoDB each, asked again where that is safe.
//!
//! Every write here may be sent twice: it is conditional, or puts what it put before. What became of one whose answer
//! was lost is for its maker to see in the item that a failed condition shows.

pub(crate) mod call;
pub(crate) mod condition;
pub(crate) mod item;
pub(crate) mod keys;
mod many;
pub(crate) mod row;
pub mod schema;
pub mod stream;
mod transaction;

use crate::fault::{Asked, Fault};
use crate::retry::Patience;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use condition::{Expression, names, values};
use item::Item;
use keys::Key;
use smoother_core::ports::Entropy;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tokio::sync::Semaphore;

pub(crate) use many::Query;
pub(crate) use transaction::Transacted;

/// Calls to the table that may be under way at once; more wait for a turn. Each has a connection of its own.
const MOST_AT_ONCE: usize = 64;

/// What became of a write under a condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Written {
    /// It is made; the item as it is now, where that was asked for.
    Done(Option<Item>),
    /// The condition did not hold; the item as it is, if there is one.
    Unmet(Option<Item>),
}

/// A table and how to ask it.
#[derive(Clone)]
pub(crate) struct Table {
    client: Client,
    name: Arc<str>,
    patience: Patience,
    chance: Arc<dyn Entropy>,
    turns: Arc<Semaphore>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn new(client: Client, name: &str, patience: Patience, chance: Arc<dyn Entropy>) -> Self {
        Self {
            client,
            name: name.into(),
            patience,
            chance,
            turns: Arc::new(Semaphore::new(MOST_AT_ONCE)),
        }
    }

    /// A mark for one write, that nobody else gives.
    pub(crate) fn mark(&self) -> String {
        self.chance
            .bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn asked(&self, action: &'static str) -> Asked<'_> {
        Asked {
            action,
            kind: "table",
            name: &self.name,
        }
    }

    /// Makes one attempt at a time, each in its turn, until one is answered.
    async fn ask<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let in_turn = || {
            let attempt = attempt();
            async move {
                let _turn = self.turns.acquire().await;
                attempt.await
            }
        };
        self.patience.ask(&*self.chance, in_turn).await
    }

    /// Reads one item as it is now.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.ask(|| async {
            let asked = self
                .client
                .get_item()
                .table_name(&*self.name)
                .consistent_read(true);
            let found = asked.set_key(Some(attributes(key))).send().await;
            let found = found.map_err(|error| self.asked("dynamodb:GetItem").failed(&error))?;
            Ok(found.item.filter(|item| !item.is_empty()))
        })
        .await
    }

    /// Writes a whole item where the condition holds.
    pub(crate) async fn put(&self, item: &Item, condition: Option<&Expression>) -> Result<Written, Fault> {
        self.ask(|| async {
            let mut put = self
                .client
                .put_item()
                .table_name(&*self.name)
                .set_item(Some(item.clone()));
            if let Some(condition) = condition {
                put = put
                    .condition_expression(&condition.text)
                    .set_expression_attribute_names(names(&[&condition.text]))
                    .set_expression_attribute_values(values(&[condition]))
                    .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            }
            match put.send().await {
                Ok(_) => Ok(Written::Done(None)),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(unmet)) => {
                        Ok(Written::Unmet(unmet.item.clone()))
                    }
                    _ => Err(self.asked("dynamodb:PutItem").failed(&error)),
                },
            }
        })
        .await
    }

    /// Changes some attributes of an item where the condition holds; gives the item after it.
    pub(crate) async fn update(
        &self,
        key: &Key,
        change: &Expression,
        condition: &Expression,
    ) -> Result<Written, Fault> {
        self.ask(|| async {
            let update = self
                .client
                .update_item()
                .table_name(&*self.name)
                .set_key(Some(attributes(key)))
                .update_expression(&change.text)
                .condition_expression(&condition.text)
                .set_expression_attribute_names(names(&[&change.text, &condition.text]))
                .set_expression_attribute_values(values(&[change, condition]))
                .return_values(ReturnValue::AllNew)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match update.send().await {
                Ok(done) => Ok(Written::Done(done.attributes)),
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(unmet)) => {
                        Ok(Written::Unmet(unmet.item.clone()))
                    }
                    _ => Err(self.asked("dynamodb:UpdateItem").failed(&error)),
                },
            }
        })
        .await
    }

    /// Removes an item, if it is there and the condition holds.
    pub(crate) async fn delete(&self, key: &Key, condition: Option<&Expression>) -> Result<(), Fault> {
        self.ask(|| async {
            let mut delete = self
                .client
                .delete_item()
                .table_name(&*self.name)
                .set_key(Some(attributes(key)));
            if let Some(condition) = condition {
                delete = delete
                    .condition_expression(&condition.text)
                    .set_expression_attribute_names(names(&[&condition.text]))
                    .set_expression_attribute_values(values(&[condition]));
            }
            match delete.send().await {
                Ok(_) => Ok(()),
                Err(error) => match error.as_service_error() {
                    Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                    _ => Err(self.asked("dynamodb:DeleteItem").failed(&error)),
                },
            }
        })
        .await
    }
}

/// A key as attributes.
fn attributes(key: &Key) -> HashMap<String, AttributeValue> {
    [("pk", &key.pk), ("sk", &key.sk)]
        .map(|(name, value)| (name.to_owned(), AttributeValue::S(value.clone())))
        .into()
}
