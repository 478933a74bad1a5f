//! What a tenant reads, where the header that names it is trusted.

use super::world::{World, job};
use http::StatusCode;
use smoother_core::{Request, TenantId};

/// A job of each tenant.
fn rows(world: &World) -> [Request; 2] {
    let of = |number: u8, tenant: &str| {
        let mut row = job(number);
        row.tenant = TenantId::new(tenant).unwrap();
        world.rows.put(row.clone());
        row
    };
    [of(1, "acme"), of(2, "default")]
}

#[tokio::test]
async fn a_tenant_reads_and_lists_its_own_jobs_alone() {
    let world = World::new();
    let [acme, default] = rows(&world);
    world.results.reconfigure(Vec::new(), true);
    for (tenant, own, others) in [("acme", &acme, &default), ("", &default, &acme)] {
        let listed = world.get_as("/v1/jobs", &[tenant]).await.json();
        assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
        assert_eq!(listed["jobs"][0]["id"], own.id.to_string());
        let status = async |row: &Request, end: &str| {
            let path = format!("/v1/jobs/{}{end}", row.id);
            world.get_as(&path, &[tenant]).await.status
        };
        assert_eq!(status(own, "").await, StatusCode::OK);
        for end in ["", "/result"] {
            assert_eq!(
                status(others, end).await,
                StatusCode::NOT_FOUND,
                "{tenant:?} {end}"
            );
        }
        let letter = world.get_as(&format!("/v1/dlq/{}", others.id), &[tenant]).await;
        assert_eq!(letter.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_name_is_not_read_where_it_is_not_trusted() {
    let world = World::new();
    let [acme, default] = rows(&world);
    let path = |row: &Request| format!("/v1/jobs/{}", row.id);
    assert_eq!(
        world.get_as(&path(&acme), &["acme"]).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        world.get_as(&path(&default), &["a/b"]).await.status,
        StatusCode::OK
    );
    world.results.reconfigure(Vec::new(), true);
    assert_eq!(world.get_as(&path(&acme), &["acme"]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_name_that_cannot_be_told_is_refused() {
    let world = World::new();
    world.results.reconfigure(Vec::new(), true);
    for names in [&["a/b"][..], &["acme", "other"]] {
        for path in ["/v1/jobs", "/v1/dlq"] {
            let said = world.get_as(path, names).await;
            assert_eq!(said.status, StatusCode::BAD_REQUEST, "{names:?} {path}");
            let detail = said.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("x-smoother-tenant"), "{detail}");
        }
    }
}
