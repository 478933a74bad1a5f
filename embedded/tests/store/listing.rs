//! Listings, page by page.

use crate::fixture::*;
use smoother_core::lifecycle::{Change, State};
use smoother_core::ports::{ListFilter, Store};
use smoother_core::{Request, RequestId};

async fn pages(f: &Fixture, filter: &ListFilter, limit: usize) -> Vec<RequestId> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = f.store.list(filter.clone(), cursor, limit).await.unwrap();
        assert!(page.requests.len() <= limit);
        found.extend(page.requests.iter().map(|r| r.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

async fn thirty(f: &Fixture) -> Vec<Request> {
    let mut rows = Vec::new();
    // Inserted in another order than they arrived.
    for n in (0..30).map(|n| (n * 7) % 30) {
        let mut row = request(n);
        row.tenant = tenant(if n % 3 == 0 { "acme" } else { "umbrella" });
        row.lane = lane(if n % 2 == 0 { "sonnet" } else { "nova" });
        f.insert(&row).await.unwrap();
        if n % 5 == 0 {
            row = f
                .store
                .change(row.id, Change::Cancel { at: at(1_000) })
                .await
                .unwrap();
        }
        rows.push(row);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.arrived_at));
    rows
}

#[tokio::test]
async fn every_filter_gives_its_rows_newest_first_in_pages_of_any_size() {
    let f = Fixture::new();
    let rows = thirty(&f).await;
    let tenants = [None, Some(tenant("acme")), Some(tenant("nobody"))];
    let lanes = [None, Some(lane("nova"))];
    let states = [
        vec![],
        vec![State::Cancelled],
        vec![State::Queued],
        vec![State::Queued, State::Cancelled],
    ];
    for tenant in &tenants {
        for lane in &lanes {
            for states in &states {
                let filter = ListFilter {
                    dead: false,
                    tenant: tenant.clone(),
                    states: states.clone(),
                    lane: lane.clone(),
                };
                let fits = |row: &&Request| {
                    tenant.as_ref().is_none_or(|t| *t == row.tenant)
                        && lane.as_ref().is_none_or(|l| *l == row.lane)
                        && (states.is_empty() || states.contains(&row.state))
                };
                let expected: Vec<_> = rows.iter().filter(fits).map(|row| row.id).collect();
                for limit in [1, 5, 1_000] {
                    assert_eq!(pages(&f, &filter, limit).await, expected, "{filter:?} by {limit}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_last_full_page_says_that_it_is_the_last() {
    let f = Fixture::new();
    for n in 0..4 {
        f.insert(&request(n)).await.unwrap();
    }
    let first = f.store.list(ListFilter::default(), None, 2).await.unwrap();
    let last = f.store.list(ListFilter::default(), first.next, 2).await.unwrap();
    assert_eq!((last.requests.len(), last.next), (2, None));
}

#[tokio::test]
async fn a_cursor_that_is_none_is_refused() {
    let f = Fixture::new();
    let refused = f
        .store
        .list(ListFilter::default(), Some("tomorrow".into()), 10)
        .await;
    assert!(refused.unwrap_err().to_string().contains("tomorrow"));
}

#[tokio::test]
async fn arrivals_of_one_moment_keep_their_order_over_restarts() {
    let mut f = Fixture::new();
    let mut inserted = Vec::new();
    for round in 0..3u64 {
        for n in 0..5 {
            let mut row = request(round * 10 + n);
            row.arrived_at = at(0);
            f.insert(&row).await.unwrap();
            inserted.push(row.id);
        }
        f = f.reopened();
    }
    let mut listed = pages(&f, &ListFilter::default(), 4).await;
    listed.sort();
    inserted.sort();
    assert_eq!(listed, inserted);
}
