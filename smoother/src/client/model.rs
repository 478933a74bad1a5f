//! Models as the server shows them, and the one that goes without saying.

use super::error::ClientError;
use super::http::Client;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Debug, Deserialize)]
struct Models {
    models: Vec<Model>,
}

#[derive(Debug, Deserialize)]
struct Model {
    id: String,
    lane: String,
    /// It cannot be asked for by this lane.
    #[serde(default)]
    standby: bool,
}

impl Models {
    /// The only model that can be asked for, or the first of the only lane; else all of them.
    fn that_goes_without_saying(self) -> Result<String, Vec<String>> {
        let asked_for = self.models.into_iter().filter(|model| !model.standby);
        let (mut ids, mut lanes) = (Vec::new(), BTreeSet::new());
        for model in asked_for {
            lanes.insert(model.lane);
            // Several lanes may share it.
            if !ids.contains(&model.id) {
                ids.push(model.id);
            }
        }
        match ids.first() {
            Some(first) if ids.len() == 1 || lanes.len() == 1 => Ok(first.clone()),
            _ => Err(ids),
        }
    }
}

impl Client {
    /// The model to take where the caller names none: the server's only one, or the first of its only lane.
    /// Otherwise every id there is, for the caller to choose from.
    ///
    /// # Errors
    /// As [`ClientError`] says.
    pub async fn default_model(&self) -> Result<Result<String, Vec<String>>, ClientError> {
        let models = self.get::<Models>("v1/models").await?;
        Ok(models.that_goes_without_saying())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Models as `id lane`, with a mark on those of a standby lane.
    fn chosen(models: &[&str]) -> Result<String, Vec<String>> {
        let model = |text: &&str| {
            let mut words = text.split(' ');
            let mut next = || words.next().unwrap_or_default().to_owned();
            let (id, lane, mark) = (next(), next(), next());
            let standby = mark == "standby";
            Model { id, lane, standby }
        };
        let models = models.iter().map(model).collect();
        Models { models }.that_goes_without_saying()
    }

    #[test]
    fn the_only_model_goes_without_saying_however_many_lanes_serve_it() {
        let one = |id: &str| Ok(id.to_owned());
        assert_eq!(chosen(&["m east"]), one("m"));
        assert_eq!(chosen(&["m east", "alias east"]), one("m"));
        assert_eq!(chosen(&["m east", "m west"]), one("m"));
        assert_eq!(chosen(&["m east", "m west standby", "h small standby"]), one("m"));
        let several = Err(vec!["m".to_owned(), "h".to_owned()]);
        assert_eq!(chosen(&["m east", "m west", "h small"]), several);
        assert_eq!(chosen(&[]), Err(Vec::new()));
    }
}
