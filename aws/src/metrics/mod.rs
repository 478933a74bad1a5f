//! Metrics as CloudWatch embedded-metric log lines.
//!
//! A function has no port to be scraped, and no time after its answer. So what the stages count is kept in memory, and
//! written to the log as lines that CloudWatch reads metrics from: at the end of an invocation, and each minute by
//! those that run long. No call, no permission and no agent is needed.
//! Format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! What is recorded is core's list and no more: a name that is not in it, or a label that it does not give the name, is
//! not recorded. The tenant is in no entry of the list, so it never becomes a dimension.

mod book;
mod cells;
mod lines;

pub use book::EmbeddedMetrics;
