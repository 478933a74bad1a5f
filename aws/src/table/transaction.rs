//! Several items in one commit.

use super::condition::{Write, names, values};
use super::{Table, attributes};
use crate::fault::Fault;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::Item;

const ACTION: &str = "dynamodb:TransactWriteItems";

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Transacted {
    /// All of it is written.
    Done,
    /// None of it is, because of these writes' conditions, by their place: `Some` where it did not hold, with the
    /// item as it is, if there is one.
    Unmet(Vec<Option<Option<Item>>>),
}

impl Table {
    /// Makes all these writes or none. `token` names the transaction for as long as it is sent again.
    pub(crate) async fn transact(&self, token: &str, writes: &[Write]) -> Result<Transacted, Fault> {
        let items: Result<Vec<_>, BuildError> = writes.iter().map(|write| self.one(write)).collect();
        let items = items.map_err(|error| Fault::Lasting(self.asked(ACTION).because(&error)))?;
        self.ask(|| async {
            let transaction = self
                .client
                .transact_write_items()
                .client_request_token(token)
                .set_transact_items(Some(items.clone()));
            match transaction.send().await {
                Ok(_) => Ok(Transacted::Done),
                Err(error) => match error.as_service_error() {
                    Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                        self.cancelled(cancelled.cancellation_reasons())
                    }
                    _ => Err(self.asked(ACTION).failed(&error)),
                },
            }
        })
        .await
    }

    fn one(&self, write: &Write) -> Result<TransactWriteItem, BuildError> {
        let all_old = ReturnValuesOnConditionCheckFailure::AllOld;
        Ok(match write {
            Write::Put { item, condition } => {
                let mut put = Put::builder()
                    .table_name(&*self.name)
                    .set_item(Some(item.clone()));
                if let Some(condition) = condition {
                    put = put
                        .condition_expression(&condition.text)
                        .set_expression_attribute_names(names(&[&condition.text]))
                        .set_expression_attribute_values(values(&[condition]))
                        .return_values_on_condition_check_failure(all_old);
                }
                TransactWriteItem::builder().put(put.build()?).build()
            }
            Write::Update {
                key,
                change,
                condition,
            } => {
                let update = Update::builder()
                    .table_name(&*self.name)
                    .set_key(Some(attributes(key)))
                    .update_expression(&change.text)
                    .condition_expression(&condition.text)
                    .set_expression_attribute_names(names(&[&change.text, &condition.text]))
                    .set_expression_attribute_values(values(&[change, condition]))
                    .return_values_on_condition_check_failure(all_old);
                TransactWriteItem::builder().update(update.build()?).build()
            }
        })
    }

    /// Why a transaction was cancelled: a condition that did not hold goes before a conflict, since it is read anew
    /// in either case; any other reason stays.
    fn cancelled(&self, reasons: &[CancellationReason]) -> Result<Transacted, Fault> {
        let code = |reason: &CancellationReason| reason.code().unwrap_or("None").to_owned();
        let unmet = |reason: &CancellationReason| {
            (code(reason) == "ConditionalCheckFailed").then(|| reason.item().cloned())
        };
        let found: Vec<_> = reasons.iter().map(unmet).collect();
        if found.iter().any(Option::is_some) {
            return Ok(Transacted::Unmet(found));
        }
        let asked = self.asked(ACTION);
        let faults = reasons.iter().filter(|reason| code(reason) != "None");
        let faults =
            faults.map(|reason| asked.refused(400, &code(reason), reason.message().unwrap_or_default()));
        // What stays decides: asking again for the sake of a conflict beside it would come to nothing.
        let worst = faults.max_by_key(|fault| matches!(fault, Fault::Lasting(_)));
        Err(worst.unwrap_or_else(|| Fault::Unsure(asked.because(&"it was cancelled without a reason"))))
    }
}
