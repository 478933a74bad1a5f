//! Listings: every row that fits, once, page by page.

use super::bed::{Bed, Restart, new};
use crate::conformance::suite::cases;
use crate::conformance::words::{at, cancel, id, lane, request, tenant};
use smoother_core::ports::{ListFilter, Store};
use smoother_core::{Request, RequestId, State};
use std::collections::HashSet;

cases! { Bed;
    every_filter_gives_its_rows_newest_first_in_pages_of_any_size,
    a_tenants_listing_holds_nobody_elses_rows,
    the_last_full_page_says_that_it_is_the_last,
    an_empty_listing_is_one_page,
    a_cursor_that_is_none_is_refused,
    a_page_holds_no_more_than_a_thousand,
    rows_that_come_meanwhile_hide_and_repeat_nothing,
    rows_of_one_moment_are_all_listed,
}

fn everything() -> ListFilter {
    ListFilter::default()
}

async fn pages(store: &dyn Store, filter: &ListFilter, limit: usize) -> Vec<Request> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.list(filter.clone(), cursor, limit).await.unwrap();
        assert!(page.requests.len() <= limit);
        found.extend(page.requests);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

fn ids(rows: &[Request]) -> Vec<RequestId> {
    rows.iter().map(|row| row.id).collect()
}

/// Thirty rows of two tenants, two lanes and two states, newest first; stored in another order.
async fn thirty(bed: &Bed) -> Vec<Request> {
    let mut rows = Vec::new();
    for n in (0..30).map(|n| (n * 7) % 30) {
        let mut row = request(n);
        row.tenant = tenant(if n % 3 == 0 { "acme" } else { "umbrella" });
        row.lane = lane(if n % 2 == 0 { "sonnet" } else { "nova" });
        bed.insert(&row).await.unwrap();
        if n % 5 == 0 {
            row = bed.change(row.id, cancel()).await.unwrap();
        }
        rows.push(row);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.arrived_at));
    rows
}

async fn every_filter_gives_its_rows_newest_first_in_pages_of_any_size(bed: Bed) {
    let rows = thirty(&bed).await;
    let tenants = [None, Some(tenant("acme")), Some(tenant("nobody"))];
    let lanes = [None, Some(lane("nova")), Some(lane("none"))];
    let states = [
        vec![],
        vec![State::Cancelled],
        vec![State::Queued],
        vec![State::Queued, State::Cancelled],
        vec![State::Running],
    ];
    for tenant in &tenants {
        for lane in &lanes {
            for states in &states {
                let filter = ListFilter {
                    tenant: tenant.clone(),
                    states: states.clone(),
                    lane: lane.clone(),
                    ..everything()
                };
                let fits = |row: &&Request| {
                    tenant.as_ref().is_none_or(|t| *t == row.tenant)
                        && lane.as_ref().is_none_or(|l| *l == row.lane)
                        && (states.is_empty() || states.contains(&row.state))
                };
                let expected: Vec<_> = rows.iter().filter(fits).cloned().collect();
                for limit in [1, 5, 1_000] {
                    let found = pages(&*bed.store, &filter, limit).await;
                    assert_eq!(found, expected, "{filter:?} by {limit}");
                }
            }
        }
    }
}

async fn a_tenants_listing_holds_nobody_elses_rows(bed: Bed) {
    thirty(&bed).await;
    for name in ["acme", "umbrella"] {
        let filter = ListFilter {
            tenant: Some(tenant(name)),
            ..everything()
        };
        let found = pages(&*bed.store, &filter, 4).await;
        assert!(!found.is_empty());
        assert!(found.iter().all(|row| row.tenant == tenant(name)));
        // A cursor of one tenant shows another's rows to nobody.
        let page = bed.store.list(filter, None, 2).await.unwrap();
        let other = ListFilter {
            tenant: Some(tenant("nobody")),
            ..everything()
        };
        let stolen = bed.store.list(other, page.next, 100).await;
        assert!(stolen.is_ok_and(|page| page.requests.is_empty()));
    }
}

async fn the_last_full_page_says_that_it_is_the_last(bed: Bed) {
    for n in 0..4 {
        bed.insert(&request(n)).await.unwrap();
    }
    let first = bed.store.list(everything(), None, 2).await.unwrap();
    let last = bed.store.list(everything(), first.next, 2).await.unwrap();
    assert_eq!((ids(&last.requests), last.next), (vec![id(1), id(0)], None));
}

async fn an_empty_listing_is_one_page(bed: Bed) {
    let page = bed.store.list(everything(), None, 10).await.unwrap();
    assert!(page.requests.is_empty() && page.next.is_none());
}

async fn a_cursor_that_is_none_is_refused(bed: Bed) {
    for n in 0..3 {
        bed.insert(&request(n)).await.unwrap();
    }
    let real = bed.store.list(everything(), None, 1).await.unwrap().next.unwrap();
    let doubled = format!("{real}{real}");
    let long = "9".repeat(10_000);
    for bad in [
        "tomorrow",
        "",
        "%00",
        "курсор",
        "-1",
        "' OR 1=1 --",
        &doubled,
        &long,
    ] {
        let said = bed.store.list(everything(), Some(bad.to_owned()), 10).await;
        assert!(said.is_err(), "{bad:?} is no cursor: {said:?}");
    }
}

async fn a_page_holds_no_more_than_a_thousand(bed: Bed) {
    let inserts: Vec<_> = (0..1_005).map(|n| bed.store.insert(new(&request(n)))).collect();
    for insert in inserts {
        insert.await.unwrap();
    }
    let first = bed.store.list(everything(), None, usize::MAX).await.unwrap();
    assert_eq!(first.requests.len(), 1_000);
    let last = bed
        .store
        .list(everything(), first.next, usize::MAX)
        .await
        .unwrap();
    assert_eq!(ids(&last.requests), (0..5).rev().map(id).collect::<Vec<_>>());
}

async fn rows_that_come_meanwhile_hide_and_repeat_nothing(bed: Bed) {
    for n in 0..40 {
        bed.insert(&request(n * 10)).await.unwrap();
    }
    let (mut found, mut cursor, mut round) = (Vec::new(), None, 0);
    loop {
        let page = bed.store.list(everything(), cursor, 6).await.unwrap();
        found.extend(ids(&page.requests));
        let Some(next) = page.next else { break };
        cursor = Some(next);
        // Newer than everything, between what was read, and between what is to be read.
        for n in [1_000 + round, 395 - round, 5 + round * 10] {
            bed.insert(&request(n)).await.unwrap();
        }
        // A row that changes stays where it is.
        let _ = bed.change(id(round * 30), cancel()).await;
        round += 1;
    }
    let unique: HashSet<_> = found.iter().copied().collect();
    assert_eq!(unique.len(), found.len(), "a row came twice");
    for n in 0..40 {
        assert!(unique.contains(&id(n * 10)), "row {n} was there throughout");
    }
}

async fn rows_of_one_moment_are_all_listed(bed: Bed) {
    let mut bed = bed;
    let mut stored = Vec::new();
    for round in 0..3u64 {
        for n in 0..7 {
            let mut row = request(round * 10 + n);
            row.arrived_at = at(0);
            bed.insert(&row).await.unwrap();
            stored.push(row.id);
        }
        bed = bed.restarted(Restart::Clean).await;
    }
    for limit in [1, 4] {
        let mut listed = ids(&pages(&*bed.store, &everything(), limit).await);
        listed.sort();
        stored.sort();
        assert_eq!(listed, stored);
    }
}
