#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

#[test]
fn a_patch_changes_only_what_it_names_and_null_brings_the_default_back() {
    let settings = Settings::default()
        .patched(
            &json!({"quota": {"tokens_per_minute": 300_000, "limiter": "sliding"}, "external_load": 0.3}),
        )
        .unwrap();
    assert_eq!(settings.quota.tokens_per_minute, Some(300_000));
    assert_eq!(settings.quota.bucket_seconds, 10.0);
    let settings = settings
        .patched(&json!({"quota": {"tokens_per_minute": null}}))
        .unwrap();
    assert_eq!(settings.quota.tokens_per_minute, None);
    assert_eq!(settings.quota.limiter, LimiterKind::Sliding);
    assert_eq!(settings.external_load, 0.3);
}

#[test]
fn unknown_keys_and_values_out_of_range_are_refused_by_name() {
    let refused = |patch| Settings::default().patched(&patch).unwrap_err().to_string();
    assert!(refused(json!({"quota": {"tpm": 1}})).contains("tpm"));
    for array in [json!([]), json!({"quota": []}), json!({"models": {"a": []}})] {
        assert!(refused(array).contains("expected an object"));
    }
    assert!(refused(json!({"faults": {"rules": [["503", 0.5]]}})).contains("expected an object"));
    assert!(refused(json!({"default_region": "US East"})).contains("\"US East\""));
    assert!(refused(json!({"regions": {"eu-west-1": {"models": {"a": {"burn": 1}}}}})).contains("burn"));
    assert!(refused(json!({"external_load": 1.5})).contains("external_load is 1.5"));
    assert!(refused(json!({"latency": {"tokens_per_event": 0}})).contains("tokens_per_event"));
    assert!(refused(json!({"faults": {"rules": [{"fault": "503", "share": 2.0}]}})).contains("share"));
}

#[test]
fn a_models_and_a_regions_own_settings_come_before_those_for_all() {
    let settings = Settings::default()
        .patched(
            &json!({"quota": {"tokens_per_minute": 10, "requests_per_minute": 5},
            "models": {"a": {"tokens_per_minute": 20, "output_burndown": 2}}}),
        )
        .unwrap();
    let quota = settings.quota_of("us-east-1", "a");
    assert_eq!(
        (quota.tokens_per_minute, quota.requests_per_minute),
        (Some(20), Some(5))
    );
    assert_eq!(settings.burndown_of("a"), 2);
    let settings = settings
        .patched(
            &json!({"regions": {"eu-west-1": {"quota": {"tokens_per_minute": 30, "max_concurrency": 7},
            "models": {"a": {"max_concurrency": 8}}}}}),
        )
        .unwrap();
    let quota = |region: &str, model: &str| {
        let quota = settings.quota_of(region, model);
        (quota.tokens_per_minute, quota.max_concurrency)
    };
    assert_eq!(quota("eu-west-1", "a"), (Some(30), Some(8)));
    assert_eq!(quota("eu-west-1", "b"), (Some(30), Some(7)));
    assert_eq!(quota("us-east-1", "a"), (Some(20), None));
    assert!(settings.knows("a") && settings.knows("b"));
    let settings = settings.patched(&json!({"only_known_models": true})).unwrap();
    assert!(settings.knows("a") && !settings.knows("b"));
}
