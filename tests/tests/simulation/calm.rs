//! After the storm: everything ends within a bound, nothing is left over, and every promise is kept.

use super::callers::READING;
use super::house::House;
use super::judge::Book;
use super::town::Town;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use smoother_core::call::CallEnding;
use smoother_core::scheduler::LaneView;
use smoother_core::{RequestId, State, TenantId};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt;

/// Within this everything ends: some minutes of quota, the longest backoffs, calls that hang.
const BOUND: Duration = Duration::from_secs(15 * 60);
/// Within this nothing is left of what has ended.
const TIDY: Duration = Duration::from_secs(45);
/// The same where a claim was made, told as failed, and its request called off: its place is kept until the call is
/// written off, the longest that one may take (15 s here) and a minute later.
const TIDY_OF_GHOSTS: Duration = Duration::from_secs(15 + 60 + 45);
const LOOK: Duration = Duration::from_millis(500);

/// Waits for the end of everything and judges what is left.
pub async fn settle(town: &Town, callers: JoinSet<()>, others: JoinSet<()>) {
    let ended = timeout(BOUND, end_of_all(town, callers, others)).await;
    let Some(house) = town.house() else {
        return town.judge.book().fault("G6: nobody serves".to_owned());
    };
    match ended {
        Ok(()) => tidy(town, &house).await,
        Err(_) => stuck(town, &house).await,
    }
    results(town, &house).await;
    last_words(&mut town.judge.book());
}

async fn end_of_all(town: &Town, mut callers: JoinSet<()>, mut others: JoinSet<()>) {
    for errands in [&mut others, &mut callers] {
        while let Some(done) = errands.join_next().await {
            if let Err(error) = done {
                town.judge.book().fault(format!("an errand broke off: {error}"));
            }
        }
    }
    while town.judge.book().open > 0 {
        tokio::time::sleep(LOOK).await;
    }
}

async fn stuck(town: &Town, house: &House) {
    let views: Vec<String> = house.views().await.iter().map(shown).collect();
    let mut book = town.judge.book();
    let open = book.rows.values().filter(|row| !row.state.is_terminal());
    let open: Vec<String> = open
        .map(|row| format!("{} {} in {}", row.id, row.state, row.lane))
        .collect();
    let after = BOUND.as_secs();
    book.fault(format!(
        "G6: {after} s after the storm not everything had ended: open are {open:?}, else somebody still waits; \
         lanes: {views:?}"
    ));
}

/// Waits until nothing is left over.
async fn tidy(town: &Town, house: &Arc<House>) {
    let nothing_left = async {
        while !left_over(town, house).await.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let ghosts = town.judge.book().has_ghosts();
    let within = if ghosts { TIDY_OF_GHOSTS } else { TIDY };
    if timeout(within, nothing_left).await.is_err() {
        let left = left_over(town, house).await;
        town.judge
            .book()
            .fault(format!("G6: left over after the end of all: {left:?}"));
    }
}

async fn left_over(town: &Town, house: &House) -> Vec<String> {
    let mut left = Vec::new();
    for view in house.views().await {
        let waiting: u64 = view.waiting.values().map(|band| band.requests).sum();
        if waiting + view.released + view.running + view.concurrency.used > 0 {
            left.push(shown(&view));
        }
    }
    if !house.hub.is_empty() {
        left.push(format!("{} logs in the hub", house.hub.len()));
    }
    let awaited = house.ingest.callers();
    if awaited > 0 {
        left.push(format!("{awaited} requests with callers on the line"));
    }
    let book = town.judge.book();
    let unsettled = book.calls.values().filter(|call| book.is_unsettled(call)).count();
    if unsettled > 0 {
        left.push(format!("{unsettled} calls that are not settled"));
    }
    let untold = book.ends.difference(&book.told).count();
    if untold > 0 {
        left.push(format!("{untold} ends that nobody was told of"));
    }
    left
}

fn shown(view: &LaneView) -> String {
    let waiting: u64 = view.waiting.values().map(|band| band.requests).sum();
    format!(
        "{}: {waiting} waiting, {} released, {} running, {} places taken, breaker {}, parked until {:?}",
        view.lane,
        view.released,
        view.running,
        view.concurrency.used,
        view.breaker.state.as_str(),
        view.parked_until
    )
}

/// Results are readable, belong to the call that counts, and are what callers have read.
async fn results(town: &Town, house: &House) {
    let rows: Vec<_> = town.judge.book().rows.values().cloned().collect();
    for row in rows.iter().filter(|row| row.state == State::Completed) {
        let read = timeout(READING, read(town, house, row.id, &row.tenant)).await;
        let mut book = town.judge.book();
        let Ok(Some(body)) = read else {
            book.fault(format!("G3: the result of {} cannot be read", row.id));
            continue;
        };
        let mark = format!("{} call {}", row.id, row.call);
        if !row.degraded && !contains(&body, mark.as_bytes()) {
            book.fault(format!(
                "G3: the result of {} is not that of its call {}",
                row.id, row.call
            ));
        }
        let differs = book
            .promises
            .answers
            .iter()
            .any(|(id, answer)| *id == row.id && *answer != body);
        if differs {
            book.fault(format!(
                "G3: a caller of {} has another answer than is stored",
                row.id
            ));
        }
    }
}

/// By the job's door; what it does not serve (another tenant's) from the store.
async fn read(town: &Town, house: &House, id: RequestId, tenant: &TenantId) -> Option<Bytes> {
    if *tenant != TenantId::default() {
        use smoother_core::ports::{PayloadKind, Payloads};
        return town
            .world
            .boot()
            .store()
            .fetch(id, PayloadKind::Result)
            .await
            .ok()?;
    }
    let asked = Request::get(format!("/v1/jobs/{id}/result"))
        .body(Body::empty())
        .ok()?;
    let Ok(response) = house.router.clone().oneshot(asked).await;
    if response.status() != StatusCode::OK {
        return None;
    }
    Some(response.into_body().collect().await.ok()?.to_bytes())
}

fn contains(body: &[u8], mark: &[u8]) -> bool {
    body.windows(mark.len()).any(|part| part == mark)
}

/// What can be said only when all is over.
fn last_words(book: &mut Book) {
    let mut faults = Vec::new();
    for call in book.calls.values() {
        let (id, number) = (call.request, call.number);
        let Some(settlement) = &call.settlement else {
            if book.is_unsettled(call) {
                faults.push(format!("G5: call {number} of {id} was never settled"));
            }
            continue;
        };
        let row = book.rows.get(&id);
        let counts =
            row.is_some_and(|row| row.state == State::Completed && !row.degraded && row.call == number);
        if counts && settlement.ending != CallEnding::Completed {
            faults.push(format!(
                "G5: {id} was answered by call {number}, which ended {:?}",
                settlement.ending
            ));
        }
    }
    for row in book.rows.values() {
        let made = book.calls.keys().filter(|(id, _)| *id == row.id).count();
        if made != row.calls_made as usize {
            faults.push(format!(
                "G4: {} tells of {} calls; {made} were claimed",
                row.id, row.calls_made
            ));
        }
    }
    for (id, _) in book.ends.difference(&book.told) {
        faults.push(format!("G3: nobody was told of an end of {id}"));
    }
    for id in book.promises.accepted.keys() {
        if !book.rows.contains_key(id) {
            faults.push(format!("G2: {id} was accepted and is nowhere"));
        }
    }
    for fault in faults {
        book.fault(fault);
    }
}
