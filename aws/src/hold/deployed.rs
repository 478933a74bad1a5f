//! Which deployment is in force.
//!
//! A function that runs on while another version of it is deployed goes on by what it was started with, a lane's holder
//! for up to a quarter of an hour. But whoever is called after that is of the new deployment. So each that is called to
//! hold lanes notes its own deployment's mark, and a holder that reads another's hands its lanes over.

use super::DynamoHold;
use crate::table::item::{Reading, Writing};
use crate::table::keys;
use smoother_core::ports::StoreError;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What tells one deployment from another: its version, its configuration and its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed(String);

impl Deployed {
    /// The mark of a deployment with this configuration and these variables, in whatever order they come.
    pub fn of(config: &str, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut variables: Vec<_> = variables.into_iter().collect();
        variables.sort_unstable();
        let mut hasher = DefaultHasher::new();
        (env!("CARGO_PKG_VERSION"), config, variables).hash(&mut hasher);
        Self(format!("{:016x}", hasher.finish()))
    }
}

impl DynamoHold {
    /// The deployment that was noted last.
    ///
    /// # Errors
    /// [`StoreError`] where the table fails.
    pub async fn deployed(&self) -> Result<Option<Deployed>, StoreError> {
        let Some(item) = self.table.get(&keys::deployed()).await? else {
            return Ok(None);
        };
        let mark = Reading::new(&item)?.text("mark")?;
        Ok(Some(Deployed(mark.to_owned())))
    }

    /// Notes that this deployment is in force, where another was noted.
    ///
    /// # Errors
    /// [`StoreError`] where the table fails.
    pub async fn note_deployed(&self, mark: &Deployed) -> Result<(), StoreError> {
        // What does not read is another's.
        if !matches!(self.deployed().await, Ok(Some(noted)) if noted == *mark) {
            let item = Writing::new(&keys::deployed()).text("mark", mark.0.clone());
            self.table.put(&item.done(), None).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Answer, Script, chance};
    use serde_json::json;

    fn of(config: &str, value: &str) -> Deployed {
        let variables = [("SMOOTHER_A", "1"), ("SMOOTHER_B", value)];
        Deployed::of(
            config,
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())),
        )
    }

    #[test]
    fn a_deployment_is_told_by_its_configuration_and_its_environment() {
        assert_eq!(of("a", "1"), of("a", "1"));
        assert_ne!(of("a", "1"), of("b", "1"));
        assert_ne!(of("a", "1"), of("a", "2"));
    }

    #[tokio::test(start_paused = true)]
    async fn only_another_deployment_is_noted() {
        let Deployed(mark) = of("a", "1");
        let item = json!({"Item": {"pk": {"S": "DEPLOYED"}, "sk": {"S": "MARK"}, "v": {"N": "1"}, "mark": {"S": mark}}});
        let script = Script::default()
            .times(2, || Answer::Json(200, item.clone()))
            .then(Answer::done());
        let hold = DynamoHold::new(
            crate::clients::dynamodb(&script.environment()),
            "requests",
            chance(),
        );
        hold.note_deployed(&of("a", "1")).await.unwrap();
        hold.note_deployed(&of("b", "1")).await.unwrap();
        assert_eq!(script.asked(), ["GetItem", "GetItem", "PutItem"]);
    }
}
