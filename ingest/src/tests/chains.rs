//! Where a request may go on, as it is stored with it.

use crate::testbed::{Bed, MODEL, SMALL_MODEL, converse, lane, post, send};
use smoother_core::config::{Config, FallbackConfig, LaneConfig};
use smoother_core::degraded::Form;
use smoother_core::{Hop, LaneId, ModelId, Request};

const CLAUDE: &str = r#"{"anthropic_version":"bedrock-2023-05-31","max_tokens":50,
    "messages":[{"role":"user","content":"Hello"}]}"#;

fn id(name: &str) -> LaneId {
    LaneId::new(name).unwrap()
}

fn add(config: &mut Config, lane: LaneConfig) {
    config.lanes.insert(lane.id.clone(), lane);
}

/// "main" falls back to "west" (the same model, on standby), then to "small" (another), then to a text.
fn chained(config: &mut Config) {
    let mut west = lane("west", MODEL, 300_000);
    west.region = "us-west-2".to_owned();
    west.fallback.standby = true;
    add(config, west);
    config.lanes.get_mut(&id("main")).unwrap().fallback = FallbackConfig {
        lanes: vec![id("west"), id("small")],
        degraded_answer: Some("Busy.".to_owned()),
        ..FallbackConfig::default()
    };
}

/// The row of a call with these headers.
async fn row(bed: &Bed, operation: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let request = post(&format!("/model/{MODEL}/{operation}"), headers, body.to_owned());
    // It goes on waiting: a caller that went away would be a further event in the lane.
    drop(super::call(bed, request));
    let id = bed.arrived().await.id;
    super::settle().await;
    bed.store.row(id).unwrap()
}

fn step(hop: &Hop) -> &str {
    match hop {
        Hop::Lane { lane, .. } => lane.as_str(),
        Hop::Answer { text, .. } => text.as_str(),
    }
}

fn steps(row: &Request) -> Vec<&str> {
    row.fallback.iter().map(step).collect()
}

#[tokio::test]
async fn the_chain_of_the_configuration_is_stored_with_the_request() {
    let bed = Bed::with(chained);
    let row = row(&bed, "converse", &[], &converse()).await;
    assert_eq!(steps(&row), ["west", "small", "Busy."]);
    let models: Vec<&str> = row
        .fallback
        .iter()
        .filter_map(|hop| match hop {
            Hop::Lane { model, .. } => Some(model.as_str()),
            Hop::Answer { .. } => None,
        })
        .collect();
    assert_eq!(models, [MODEL, SMALL_MODEL], "each lane's own model is called");
    let Some(Hop::Answer { form, .. }) = row.fallback.last() else {
        unreachable!()
    };
    assert_eq!(*form, Form::Converse);
}

#[tokio::test]
async fn a_body_that_only_its_own_family_reads_goes_to_no_other() {
    let bed = Bed::with(chained);
    let row = row(&bed, "invoke", &[], CLAUDE).await;
    assert_eq!(steps(&row), ["west", "Busy."], "small speaks Llama");
    assert!(matches!(
        row.fallback[1],
        Hop::Answer {
            form: Form::Anthropic,
            ..
        }
    ));
}

#[tokio::test]
async fn a_lane_it_would_never_fit_is_left_out() {
    let bed = Bed::with(chained);
    let body =
        r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}],"inferenceConfig":{"maxTokens":3000}}"#;
    let row = row(&bed, "converse", &[], body).await;
    assert_eq!(steps(&row), ["west", "Busy."], "small has 2,000 tokens a minute");
}

#[tokio::test]
async fn a_caller_chooses_its_own_chain_or_none() {
    let bed = Bed::with(chained);
    let said = |names: &'static str| [("x-smoother-fallback", names)];
    assert_eq!(
        steps(&row(&bed, "converse", &said("small"), &converse()).await),
        ["small"]
    );
    let two = row(&bed, "converse", &said("small, west"), &converse()).await;
    assert_eq!(steps(&two), ["small", "west"]);
    let none = row(&bed, "converse", &said("none"), &converse()).await;
    assert_eq!(none.fallback, []);
    let wrong = post(&format!("/model/{MODEL}/converse"), &said("east"), converse());
    let message = send(bed.router(), wrong)
        .await
        .exception(400, "ValidationException");
    assert!(
        message.contains("\"east\"") && message.contains("main, small, west"),
        "{message}"
    );
}

#[tokio::test]
async fn a_job_says_it_in_its_form_or_in_the_header() {
    let bed = Bed::with(chained);
    let form = |fallback: &str| format!(r#"{{"model":"{MODEL}","prompt":"Hi","max_tokens":5{fallback}}}"#);
    let (own, header) = (r#","fallback":["small"]"#, ("x-smoother-fallback", "small"));
    for (headers, own, expected) in [
        (&[][..], own, &["small"][..]),
        (&[header], "", &["small"]),
        (&[header], own, &["small"]),
        (&[("x-smoother-fallback", "none")], "", &[]),
    ] {
        let said = send(bed.router(), post("/v1/jobs", headers, form(own))).await;
        assert_eq!(said.status.as_u16(), 202, "{headers:?} {own}");
        let row = bed.store.row(bed.arrived().await.id).unwrap();
        assert_eq!(steps(&row), expected, "{headers:?} {own}");
    }
    let differs = [("x-smoother-fallback", "west")];
    let said = send(bed.router(), post("/v1/jobs", &differs, form(own))).await;
    assert!(said.problem(400).contains("fallback"));
}

#[tokio::test]
async fn lanes_that_share_the_model_stand_in_for_each_other() {
    let bed = Bed::with(|config| {
        chained(config);
        config.lanes.get_mut(&id("west")).unwrap().fallback.standby = false;
        let mut east = lane("east", MODEL, 300_000);
        east.region = "us-east-2".to_owned();
        east.fallback.call_model = Some(ModelId::new("anthropic.claude-east").unwrap());
        add(config, east);
    });
    // No lane says how it stands here, so the first is taken.
    let row = row(&bed, "converse", &[], &converse()).await;
    assert_eq!(row.lane, id("east"));
    assert_eq!(row.model_to_call().as_str(), "anthropic.claude-east");
    assert_eq!(row.model.as_str(), MODEL);
    assert_eq!(
        steps(&row),
        ["main", "west"],
        "its own lane configures nothing more"
    );
}

#[tokio::test]
async fn a_standby_lane_is_nobodys_first() {
    let bed = Bed::with(|config| {
        chained(config);
        config.lanes.get_mut(&id("small")).unwrap().fallback.standby = true;
    });
    let request = post(&format!("/model/{SMALL_MODEL}/converse"), &[], converse());
    let message = send(bed.router(), request)
        .await
        .exception(400, "ValidationException");
    assert!(
        message.contains("main (") && !message.contains("small ("),
        "{message}"
    );
}
