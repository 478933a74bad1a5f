//! One simulator that stands for several Regions.

use bedrock_sim::RunningSim;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::json;

use crate::client::{Answer, SONNET, path, prompt, request, send, start};

/// A Converse call as an SDK signs it for `region`; unsigned without one.
pub fn signed(region: Option<&str>, text: &str) -> Request<Full<bytes::Bytes>> {
    let mut request = request(
        Method::POST,
        &path("converse"),
        prompt(text).to_string().as_bytes(),
    );
    if let Some(region) = region {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/{region}/bedrock/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature=00"
        );
        request
            .headers_mut()
            .insert("authorization", scope.parse().unwrap());
    }
    request
}

async fn call(sim: &RunningSim, region: Option<&str>) -> Answer {
    send(sim, signed(region, "[[sim in=3 out=2]]")).await
}

#[tokio::test]
async fn every_region_has_a_quota_of_its_own() {
    let sim = start(json!({
        "quota": {"requests_per_minute": 1, "limiter": "sliding"},
        "default_region": "eu-north-1",
        "regions": {"us-west-2": {"models": {SONNET: {"requests_per_minute": 2}}}},
    }))
    .await;
    let mut statuses = Vec::new();
    for region in [
        Some("us-east-1"),
        Some("us-east-1"),
        Some("us-west-2"),
        Some("us-west-2"),
        Some("us-west-2"),
        None,
        Some("eu-north-1"),
    ] {
        statuses.push(call(&sim, region).await.status.as_u16());
    }
    assert_eq!(statuses, [200, 429, 200, 200, 429, 200, 429]);
    let stats = sim.stats();
    let accepted = |region: &str| {
        let counts = &stats.regions[region][SONNET].counts;
        (counts.accepted, counts.throttled.requests)
    };
    assert_eq!(
        ["us-east-1", "us-west-2", "eu-north-1"].map(accepted),
        [(1, 1), (2, 1), (1, 1)]
    );
    let everywhere = &stats.models[SONNET].counts;
    assert_eq!((everywhere.accepted, everywhere.throttled.requests), (4, 3));
    let regions: Vec<_> = sim.calls(None).into_iter().map(|call| call.region).collect();
    assert_eq!(
        (regions[0].as_str(), regions[2].as_str(), regions[5].as_str()),
        ("us-east-1", "us-west-2", "eu-north-1")
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_bearer_token_names_no_region() {
    let sim = start(json!({"default_region": "ap-south-1"})).await;
    let mut bearer = signed(None, "hi");
    bearer
        .headers_mut()
        .insert("authorization", "Bearer AKID.secret".parse().unwrap());
    assert_eq!(send(&sim, bearer).await.status, 200);
    assert_eq!(sim.calls(None)[0].region, "ap-south-1");
    sim.stop().await;
}
