//! The recorder: every metric that was asked for, by name and labels.

use super::cells::{Count, Level, Values};
use super::lines::{self, Entry, Number};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use smoother_core::Timestamp;
use smoother_core::metrics::ALL;
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records in memory what is written by [`EmbeddedMetrics::flush`]. Clones share what they record.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedMetrics(Arc<Book>);

#[derive(Debug, Default)]
struct Book {
    counts: Mutex<HashMap<Key, Arc<Count>>>,
    levels: Mutex<HashMap<Key, Arc<Level>>>,
    values: Mutex<HashMap<Key, Arc<Values>>>,
}

impl EmbeddedMetrics {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes this the recorder of the whole process.
    ///
    /// # Errors
    /// There is one already.
    pub fn install(&self) -> Result<(), metrics::SetRecorderError<Self>> {
        metrics::set_global_recorder(self.clone())
    }

    /// Writes what came since the last flush, a line each, and nothing if nothing came.
    ///
    /// # Errors
    /// What `to` said; what it did not take is lost.
    pub fn flush(&self, now: Timestamp, to: &mut impl Write) -> io::Result<()> {
        let mut text = String::new();
        for line in lines::of(now, &self.news()) {
            text.push_str(&line);
            text.push('\n');
        }
        // In one piece, so that no other writer's line comes between.
        to.write_all(text.as_bytes())?;
        to.flush()
    }

    fn news(&self) -> Vec<Entry> {
        let counts = lock(&self.0.counts);
        let levels = lock(&self.0.levels);
        let values = lock(&self.0.values);
        let counts = counts.iter().filter_map(|(key, count)| {
            let news = count.news();
            (news > 0).then(|| Entry::new(key, vec![Number::Whole(news)]))
        });
        let levels = levels
            .iter()
            .filter_map(|(key, level)| Some(Entry::new(key, vec![Number::Real(level.news()?)])));
        let values = values.iter().filter_map(|(key, values)| {
            let news: Vec<Number> = values.news().into_iter().map(Number::Real).collect();
            (!news.is_empty()).then(|| Entry::new(key, news))
        });
        counts.chain(levels).chain(values).collect()
    }
}

impl Recorder for EmbeddedMetrics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if !is_listed(key) {
            return Counter::noop();
        }
        Counter::from_arc(Arc::clone(lock(&self.0.counts).entry(key.clone()).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        if !is_listed(key) {
            return Gauge::noop();
        }
        Gauge::from_arc(Arc::clone(lock(&self.0.levels).entry(key.clone()).or_default()))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if !is_listed(key) {
            return Histogram::noop();
        }
        Histogram::from_arc(Arc::clone(lock(&self.0.values).entry(key.clone()).or_default()))
    }
}

/// Whether core's list has the name, with every label that is given.
fn is_listed(key: &Key) -> bool {
    let listed = ALL.iter().find(|metric| metric.name == key.name());
    listed.is_some_and(|metric| key.labels().all(|label| metric.labels.contains(&label.key())))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use metrics::{counter, gauge, histogram, with_local_recorder};
    use serde_json::Value;
    use smoother_core::metrics::{CALL_SECONDS, CALLS, RUNNING};

    fn flushed(metrics: &EmbeddedMetrics) -> Vec<Value> {
        let mut text = Vec::new();
        metrics.flush(Timestamp::from_millis(7), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines.sort_by_key(ToString::to_string);
        lines
    }

    #[test]
    fn what_came_since_the_last_flush_is_told_once() {
        let metrics = EmbeddedMetrics::new();
        with_local_recorder(&metrics, || {
            counter!(CALLS, "lane" => "sonnet", "ending" => "completed").increment(2);
            gauge!(RUNNING, "lane" => "sonnet").set(3.0);
            histogram!(CALL_SECONDS, "lane" => "sonnet").record(0.25);
            histogram!(CALL_SECONDS, "lane" => "sonnet").record(4.0);
        });
        let lines = flushed(&metrics);
        assert_eq!(lines.len(), 2, "one line for each set of dimensions: {lines:?}");
        let by_call = lines.iter().find(|line| line["ending"] == "completed").unwrap();
        assert_eq!((&by_call["lane"], &by_call[CALLS]), (&"sonnet".into(), &2.into()));
        let by_lane = lines.iter().find(|line| line["ending"].is_null()).unwrap();
        assert_eq!(by_lane[RUNNING], 3.0);
        assert_eq!(by_lane[CALL_SECONDS], serde_json::json!([0.25, 4.0]));
        assert!(flushed(&metrics).is_empty());

        with_local_recorder(&metrics, || {
            counter!(CALLS, "lane" => "sonnet", "ending" => "completed").absolute(5);
        });
        assert_eq!(flushed(&metrics)[0][CALLS], 3);
    }

    #[test]
    fn only_what_cores_list_has_is_recorded_and_never_a_tenant() {
        let metrics = EmbeddedMetrics::new();
        with_local_recorder(&metrics, || {
            counter!("smoother_surprises_total").increment(1);
            counter!(CALLS, "lane" => "sonnet", "tenant" => "acme").increment(1);
            gauge!(RUNNING, "tenant" => "acme").set(1.0);
            histogram!(CALL_SECONDS, "tenant" => "acme").record(1.0);
        });
        assert!(flushed(&metrics).is_empty());
    }
}
