//! Whose a request is, where the configuration trusts the header that names a tenant.

use super::call;
use crate::testbed::{Bed, MODEL, Said, converse, post, send};
use http::{Method, Request};
use smoother_core::RequestId;
use smoother_core::State;

const JOB: &str = r#"{"model":"MODEL","prompt":"Hello","max_tokens":50,"idempotency_key":"n1"}"#;

fn trusting() -> Bed {
    Bed::with(|config| config.server.trust_tenant = true)
}

fn named(tenant: &str) -> [(&str, &str); 1] {
    [("x-smoother-tenant", tenant)]
}

async fn submit(bed: &Bed, tenant: &str) -> Said {
    let said = post("/v1/jobs", &named(tenant), JOB.replace("MODEL", MODEL));
    send(bed.router(), said).await
}

/// A request without a body in a tenant's name.
async fn act(bed: &Bed, method: Method, path: &str, tenant: &str) -> Said {
    let mut request = post(path, &named(tenant), "");
    *request.method_mut() = method;
    send(bed.router(), request).await
}

#[tokio::test]
async fn a_trusted_name_is_whose_a_call_and_a_job_are() {
    let bed = trusting();
    let path = format!("/model/{MODEL}/converse");
    let caller = call(&bed, post(&path, &named("capped"), converse()));
    assert_eq!(bed.arrived().await.tenant.as_str(), "capped");
    let urgent = [
        ("x-smoother-tenant", "capped"),
        ("x-smoother-priority", "interactive"),
    ];
    let said = send(bed.router(), post(&path, &urgent, converse())).await;
    let said = said.exception(400, "ValidationException");
    assert!(said.contains("tenant capped"), "its own settings count: {said}");
    assert_eq!(submit(&bed, "acme").await.status, 202);
    assert_eq!(bed.arrived().await.tenant.as_str(), "acme");
    let unnamed = call(&bed, post(&path, &[], converse()));
    assert_eq!(bed.arrived().await.tenant.as_str(), "default");
    // They stay to the end: who goes away early is told to the lane, too.
    caller.abort();
    unnamed.abort();
}

#[tokio::test]
async fn a_key_is_its_tenants_own_and_so_is_the_job() {
    let bed = trusting();
    let (acme, other) = (
        submit(&bed, "acme").await.json(),
        submit(&bed, "other").await.json(),
    );
    assert_ne!(acme["id"], other["id"]);
    assert_eq!(submit(&bed, "acme").await.json()["id"], acme["id"]);
    let path = format!("/v1/jobs/{}", acme["id"].as_str().unwrap());
    let id: RequestId = acme["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(act(&bed, Method::DELETE, &path, "other").await.status, 404);
    assert_eq!(bed.store.row(id).unwrap().state, State::Queued);
    assert_eq!(act(&bed, Method::DELETE, &path, "acme").await.status, 200);
    assert_eq!(bed.store.row(id).unwrap().state, State::Cancelled);
}

#[tokio::test]
async fn dead_letters_are_handled_by_their_own_tenant_alone() {
    let bed = trusting();
    submit(&bed, "acme").await;
    let id = bed.arrived().await.id;
    bed.start(id);
    bed.fail(id, 500, "InternalServerException", "It broke.");
    let path = format!("/v1/dlq/{id}");
    let all = "/v1/dlq?all=true";
    assert_eq!(act(&bed, Method::DELETE, &path, "other").await.status, 404);
    assert_eq!(act(&bed, Method::DELETE, all, "other").await.json()["dropped"], 0);
    assert!(bed.store.row(id).unwrap().dead);
    assert_eq!(act(&bed, Method::DELETE, all, "acme").await.json()["dropped"], 1);
}

#[tokio::test]
async fn a_name_that_cannot_be_told_is_refused_at_every_door() {
    let bed = trusting();
    let twice = [("x-smoother-tenant", "acme"), ("x-smoother-tenant", "other")];
    let path = format!("/model/{MODEL}/converse");
    for headers in [&named("a/b")[..], &twice] {
        let said = send(bed.router(), post(&path, headers, converse())).await;
        let told = said.exception(400, "ValidationException");
        assert!(told.contains("x-smoother-tenant"), "{told}");
        let job: Request<_> = post("/v1/jobs", headers, JOB.replace("MODEL", MODEL));
        let told = send(bed.router(), job).await.problem(400);
        assert!(told.contains("x-smoother-tenant"), "{told}");
    }
    assert_eq!((bed.store.len(), bed.lanes.told()), (0, 0));
}
