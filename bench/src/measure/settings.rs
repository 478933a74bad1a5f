//! Settings of the simulator for a run.

use serde_json::Value;

use crate::files::Limiter;

/// The simulator's settings under a limiter. A run under a fixed window begins elsewhere in the minute for each seed, as
/// a client cannot choose when it arrives.
pub(super) fn under(settings: &Value, limiter: &Limiter, seed: u64) -> Value {
    let mut settings = settings.clone();
    merge(&mut settings, &limiter.settings);
    if limiter.shift_by_seed {
        settings["quota"]["window_phase_ms"] = (seed * 17_387 % 60_000).into();
    }
    settings
}

fn merge(base: &mut Value, patch: &Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, patch) => *base = patch.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limiter_changes_what_it_names_and_the_seed_its_phase() {
        let base = json!({ "latency": { "base_ms": 1 }, "quota": { "tokens_per_minute": 5 } });
        let limiter = Limiter {
            name: "fixed".to_owned(),
            settings: json!({ "quota": { "limiter": "fixed" } }),
            shift_by_seed: true,
        };
        let quota = json!({ "tokens_per_minute": 5, "limiter": "fixed", "window_phase_ms": 34_774 });
        assert_eq!(
            under(&base, &limiter, 2),
            json!({ "latency": { "base_ms": 1 }, "quota": quota })
        );
    }
}
