//! The page: figures first, then plots, then tables.

use super::{plots, tables};
use crate::figures::{grouped, span};
use crate::report::{Report, Series, answered};
use std::fmt::{self, Write};

const STYLE: &str = include_str!("page.css");

/// One HTML document with everything in it.
pub fn page(report: &Report, series: &Series) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut out, report, series);
    out
}

/// Text that HTML takes for nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

fn write(out: &mut String, report: &Report, series: &Series) -> fmt::Result {
    let name = escaped(&report.workload.name);
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{name}: what it would meet at {} tokens a minute</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
        grouped(report.lane.tokens_per_minute)
    )?;
    head(out, report, &name)?;
    tiles(out, report)?;
    if !report.answers.is_empty() {
        writeln!(out, "<h2>What would meet the wait</h2>\n<ul>")?;
        for answer in &report.answers {
            writeln!(out, "<li>{}</li>", escaped(&answered(answer)))?;
        }
        writeln!(out, "</ul>")?;
    }
    plots::all(out, report, series)?;
    tables::bands(out, report)?;
    if report.tenants.each.len() > 1 {
        tables::tenants(out, report)?;
    }
    writeln!(out, "</body>\n</html>")
}

fn head(out: &mut String, report: &Report, name: &str) -> fmt::Result {
    let (workload, lane, upstream) = (&report.workload, &report.lane, &report.upstream);
    writeln!(out, "<h1>{name}</h1>")?;
    writeln!(
        out,
        "<p>{} requests in {}; {} tokens a minute, {} at the peak.</p>",
        grouped(report.requests.all),
        span(workload.span_ms),
        grouped(workload.tokens_per_minute),
        grouped(workload.peak_tokens_per_minute)
    )?;
    let requests = lane.requests_per_minute.map_or(String::new(), |limit| {
        format!(", {} requests a minute", grouped(limit))
    });
    writeln!(
        out,
        "<p>Lane {}: {} tokens a minute{requests}, {} calls at once, output burndown {}, pacing {}. Upstream: limiter {} of \
         {} tokens a minute, {} ms and {} ms a token.</p>",
        escaped(&lane.lane),
        grouped(lane.tokens_per_minute),
        grouped(u64::from(lane.max_concurrency)),
        lane.output_burndown,
        escaped(&lane.pacing),
        escaped(&upstream.limiter),
        grouped(upstream.tokens_per_minute),
        upstream.base_ms,
        upstream.per_token_ms
    )?;
    for note in &workload.notes {
        writeln!(out, "<p class=\"faint\">{}</p>", escaped(note))?;
    }
    Ok(())
}

fn tiles(out: &mut String, report: &Report) -> fmt::Result {
    let (requests, calls) = (&report.requests, &report.calls);
    let whole = report.waits.last().map(|band| band.waits).unwrap_or_default();
    let mut tiles = vec![
        (
            format!("{} %", report.utilisation.percent),
            format!(
                "of the quota used; the bound is {} %",
                report.bound.utilisation_percent
            ),
        ),
        (
            span(whole.p95_ms),
            format!(
                "p95 wait; {} if every cost were known",
                span(report.bound.waits.p95_ms)
            ),
        ),
        (
            format!("{} %", calls.throttled_percent),
            format!(
                "throttled upstream, {} calls",
                grouped(calls.throttled_tokens + calls.throttled_requests)
            ),
        ),
        (
            grouped(requests.completed),
            format!("of {} requests completed", grouped(requests.all)),
        ),
    ];
    if report.deadlines.all > 0 {
        tiles.push((
            format!("{} %", report.deadlines.met_percent),
            format!("of {} deadlines met", grouped(report.deadlines.all)),
        ));
    }
    for (count, words) in [
        (requests.expired + requests.overran, "expired"),
        (requests.refused, "refused as larger than the quota"),
        (requests.failed, "failed"),
        (requests.unfinished, "still open a day after the last arrival"),
        (requests.cut, "answers cut short by max_tokens"),
        (requests.reran, "asked for once more after right-sizing"),
    ] {
        if count > 0 {
            tiles.push((grouped(count), words.to_owned()));
        }
    }
    if let Some(jain) = report.tenants.jain {
        tiles.push((jain.to_string(), "Jain index of competing tenants".to_owned()));
    }
    writeln!(out, "<ul class=\"tiles\">")?;
    for (figure, words) in tiles {
        writeln!(out, "<li><b>{}</b>{}</li>", escaped(&figure), escaped(&words))?;
    }
    writeln!(out, "</ul>")
}
