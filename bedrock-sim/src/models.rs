//! What each model holds: one quota in every Region, and the counts of its calls, there and everywhere.

use std::collections::{BTreeMap, HashMap};

use crate::clock::Micros;
use crate::quota::Quota;
use crate::settings::{QuotaSettings, Settings};
use crate::stats::{ModelReport, Tally, Utilisation};

/// All models that were called.
#[derive(Debug, Default)]
pub(crate) struct Models(HashMap<String, Model>);

/// What all models report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The limits of all places together.
    pub(crate) limits: PerMinute,
    pub(crate) models: BTreeMap<String, ModelReport>,
    pub(crate) regions: BTreeMap<String, BTreeMap<String, ModelReport>>,
}

impl Models {
    /// The model of this quota name; new if it was never called.
    pub(crate) fn of(&mut self, name: &str) -> &mut Model {
        self.0.entry(name.to_owned()).or_default()
    }

    /// The model of this quota name, if it was called.
    pub(crate) fn called(&mut self, name: &str) -> Option<&mut Model> {
        self.0.get_mut(name)
    }

    /// Takes new limits over; what was counted stays.
    pub(crate) fn configure(&mut self, now: Micros, settings: &Settings) {
        for (name, model) in &mut self.0 {
            for place in &mut model.places {
                let quota = settings.quota_of(&place.region, name);
                place.quota.reconfigure(now, &quota, settings.external_load);
            }
        }
    }

    /// Sets all counts to nothing; quotas keep what they have counted.
    pub(crate) fn reset(&mut self) {
        for model in self.0.values_mut() {
            model.tally.reset();
            model.places.iter_mut().for_each(|place| place.tally.reset());
        }
    }

    pub(crate) fn report(&self, settings: &Settings) -> Report {
        let mut report = Report::default();
        for (name, model) in &self.0 {
            let mut everywhere = PerMinute::default();
            for place in &model.places {
                let own = PerMinute::of(&settings.quota_of(&place.region, name));
                everywhere.add(own);
                let there = report.regions.entry(place.region.clone()).or_default();
                there.insert(name.clone(), own.report(&place.tally));
            }
            report.limits.add(everywhere);
            report
                .models
                .insert(name.clone(), everywhere.report(&model.tally));
        }
        report
    }
}

/// One model id.
#[derive(Debug, Default)]
pub(crate) struct Model {
    tally: Tally,
    /// Where it was called; never removed, so that an index stays right.
    places: Vec<Place>,
}

/// A model in one Region: what has a quota.
#[derive(Debug)]
struct Place {
    region: String,
    quota: Quota,
    tally: Tally,
}

impl Model {
    /// The index of this model's place in `region`.
    pub(crate) fn place(&mut self, region: &str, make: impl FnOnce() -> Quota) -> usize {
        let found = self.places.iter().position(|place| place.region == region);
        found.unwrap_or_else(|| {
            self.places.push(Place {
                region: region.to_owned(),
                quota: make(),
                tally: Tally::default(),
            });
            self.places.len() - 1
        })
    }

    /// The quota of a place.
    pub(crate) fn quota(&mut self, place: usize) -> &mut Quota {
        &mut self.places[place].quota
    }

    /// Applies `count` to the model and to its place.
    pub(crate) fn count(&mut self, place: usize, count: impl Fn(&mut Tally)) {
        count(&mut self.tally);
        count(&mut self.places[place].tally);
    }
}

/// Limits per minute, of one place or added up over several.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PerMinute {
    tokens: Option<u64>,
    requests: Option<u64>,
}

impl PerMinute {
    fn of(quota: &QuotaSettings) -> Self {
        Self {
            tokens: quota.tokens_per_minute,
            requests: quota.requests_per_minute,
        }
    }

    fn add(&mut self, other: Self) {
        fn add(total: Option<u64>, limit: Option<u64>) -> Option<u64> {
            limit.map_or(total, |limit| Some(total.unwrap_or(0).saturating_add(limit)))
        }
        self.tokens = add(self.tokens, other.tokens);
        self.requests = add(self.requests, other.requests);
    }

    pub(crate) fn utilisation(self, tally: &Tally) -> Utilisation {
        Utilisation::of(&tally.counts, &tally.busy, self.tokens, self.requests)
    }

    fn report(self, tally: &Tally) -> ModelReport {
        ModelReport {
            counts: tally.counts.clone(),
            busy: tally.busy.report(),
            utilisation: self.utilisation(tally),
        }
    }
}
