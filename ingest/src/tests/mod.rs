//! The doors, from their first byte to their last, among ports in memory.
#![allow(clippy::unwrap_used)]

mod admission;
mod answers;
mod bad_input;
mod bodies;
mod bounds;
mod breaker;
mod chains;
mod configured;
mod free;
mod jobs;
mod joining;
mod leaving;
mod letters;
mod limits;
mod recalled;
mod right_size;
mod stopping;
mod streams;
mod tenants;
mod unstored;
mod uploads;

use crate::testbed::{Bed, Said, send};
use axum::body::Body;
use http::Request;
use tokio::task::JoinHandle;

/// A caller on the line.
fn call(bed: &Bed, request: Request<Body>) -> JoinHandle<Said> {
    tokio::spawn(send(bed.router(), request))
}

/// Lets everything that is ready run.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}
