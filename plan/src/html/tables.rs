//! The tables of the page.

use super::page::escaped;
use crate::figures::{grouped, span};
use crate::report::{Report, Waits};
use std::fmt::{self, Write};

pub(super) fn bands(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "<h2>Waits by priority</h2>\n<div class=\"wide\"><table>")?;
    writeln!(
        out,
        "<tr><th>priority</th><th>requests</th><th>mean</th><th>p50</th><th>p95</th><th>p99</th><th>longest</th></tr>"
    )?;
    for band in &report.waits {
        waits_row(out, band.band, band.requests, None, &band.waits)?;
    }
    let bound = &report.bound.waits;
    waits_row(
        out,
        "bound: one line, every cost known beforehand",
        bound.started,
        None,
        bound,
    )?;
    writeln!(out, "</table></div>")
}

pub(super) fn tenants(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(
        out,
        "<h2>Tenants, the heaviest first</h2>\n<div class=\"wide\"><table>"
    )?;
    writeln!(
        out,
        "<tr><th>tenant</th><th>requests</th><th>share</th><th>mean</th><th>p50</th><th>p95</th><th>p99</th><th>longest</th></tr>"
    )?;
    for tenant in &report.tenants.each {
        waits_row(
            out,
            &tenant.tenant,
            tenant.requests,
            Some(&format!("{} %", tenant.share_percent)),
            &tenant.waits,
        )?;
    }
    let (heavy, light) = (report.tenants.heavy, &report.tenants.light);
    if light.started > 0 {
        waits_row(
            out,
            &format!("all but the heaviest {heavy}"),
            light.started,
            Some(""),
            light,
        )?;
    }
    writeln!(out, "</table></div>")
}

fn waits_row(out: &mut String, name: &str, requests: u64, share: Option<&str>, waits: &Waits) -> fmt::Result {
    write!(
        out,
        "<tr><td>{}</td><td>{}</td>",
        escaped(name),
        grouped(requests)
    )?;
    if let Some(share) = share {
        write!(out, "<td>{share}</td>")?;
    }
    for ms in [
        waits.mean_ms,
        waits.p50_ms,
        waits.p95_ms,
        waits.p99_ms,
        waits.max_ms,
    ] {
        let shown = if waits.started == 0 {
            "-".to_owned()
        } else {
            span(ms)
        };
        write!(out, "<td>{shown}</td>")?;
    }
    writeln!(out, "</tr>")
}
