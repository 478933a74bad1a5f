//! The store on AWS, held to the one suite against an emulator of DynamoDB and S3: in calm weather, where answers get
//! lost, and counted call by call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod calls;
mod connections;
mod emulator;
mod hold;
mod inbox;
mod outbox;
mod queues;
mod stand;
mod start;
mod suite;
mod teacher;
mod weather;
