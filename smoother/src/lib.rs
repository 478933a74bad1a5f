//! The smoother command: serve, submit, status, watch, cancel and the rest.

pub mod check_config;
pub mod cli;
pub mod client;
pub mod commands;
pub mod plan;
pub mod serve;
pub mod sim;
