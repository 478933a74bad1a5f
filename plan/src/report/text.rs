//! The report for a terminal.

use super::{Report, Waits};
use crate::answer::Answer;
use crate::figures::{grouped, span};
use crate::round::percent;
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write;

/// Tenants shown from either end.
const SHOWN: usize = 3;

/// Everything, in lines.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut text, report);
    text
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    let (workload, lane, upstream) = (&report.workload, &report.lane, &report.upstream);
    let of_quota = report.utilisation.load_percent;
    writeln!(
        out,
        "{}: {} requests in {}, {} tokens a minute ({} at the peak), {of_quota} % of the quota",
        workload.name,
        grouped(report.requests.all),
        span(workload.span_ms),
        grouped(workload.tokens_per_minute),
        grouped(workload.peak_tokens_per_minute),
    )?;
    for note in &workload.notes {
        writeln!(out, "  {note}")?;
    }
    let requests = lane.requests_per_minute.map_or(String::new(), |limit| {
        format!(", {} requests a minute", grouped(limit))
    });
    writeln!(
        out,
        "lane {}: {} tokens a minute{requests}, {} calls at once, output burndown {}, pacing {}",
        lane.lane,
        grouped(lane.tokens_per_minute),
        grouped(u64::from(lane.max_concurrency)),
        lane.output_burndown,
        lane.pacing,
    )?;
    let other = if upstream.tokens_per_minute == lane.tokens_per_minute {
        String::new()
    } else {
        format!(" of {} tokens a minute", grouped(upstream.tokens_per_minute))
    };
    writeln!(
        out,
        "upstream: limiter {}{other}, a call takes {} ms and {} ms a token, {} ms on the way\n",
        upstream.limiter, upstream.base_ms, upstream.per_token_ms, upstream.round_trip_ms,
    )?;
    writeln!(out, "{}", bands(report))?;
    if report.tenants.each.len() > 1 {
        writeln!(out, "{}", tenants(report))?;
    }
    outcome(out, report)?;
    for answer in &report.answers {
        writeln!(out, "{}", answered(answer))?;
    }
    Ok(())
}

fn outcome(out: &mut String, report: &Report) -> std::fmt::Result {
    let (requests, calls, deadlines) = (&report.requests, &report.calls, &report.deadlines);
    let mut ends = vec![format!("{} completed", grouped(requests.completed))];
    for (count, word) in [
        (requests.expired, "expired while waiting"),
        (requests.overran, "overran their deadline"),
        (requests.refused, "refused as larger than the quota"),
        (requests.failed, "failed"),
        (requests.unfinished, "still open a day after the last arrival"),
    ] {
        if count > 0 {
            ends.push(format!("{} {word}", grouped(count)));
        }
    }
    writeln!(out, "requests: {}", ends.join(", "))?;
    if requests.cut + requests.reran > 0 {
        let (cut, reran) = (grouped(requests.cut), grouped(requests.reran));
        writeln!(
            out,
            "answers cut short by max_tokens: {cut}; asked for once more: {reran}"
        )?;
    }
    if requests.right_sized > 0 {
        let (sized, share) = (
            grouped(requests.right_sized),
            percent(requests.reran, requests.right_sized),
        );
        writeln!(
            out,
            "right-sized: {sized} requests, of which {share} % were asked for once more"
        )?;
    }
    if deadlines.all > 0 {
        let (met, all) = (grouped(deadlines.met), grouped(deadlines.all));
        writeln!(out, "deadlines: {met} of {all} met ({} %)", deadlines.met_percent)?;
    }
    let throttled = calls.throttled_tokens + calls.throttled_requests;
    writeln!(
        out,
        "throttled upstream: {} beside {} calls admitted ({} %)",
        grouped(throttled),
        grouped(calls.admitted),
        calls.throttled_percent,
    )?;
    if calls.breaker_opened > 0 {
        writeln!(
            out,
            "the circuit breaker opened {} time(s): calls were too slow",
            calls.breaker_opened
        )?;
    }
    writeln!(
        out,
        "utilisation: {} % of the quota from the first arrival to the last end; the bound is {} %",
        report.utilisation.percent, report.bound.utilisation_percent,
    )?;
    if let Some(jain) = report.tenants.jain {
        writeln!(
            out,
            "fairness: Jain index {jain} of what tenants got while each had something waiting"
        )?;
    }
    Ok(())
}

fn bands(report: &Report) -> Table {
    let mut table = table(&["waits", "requests", "mean", "p50", "p95", "p99", "longest"]);
    for band in &report.waits {
        table.add_row(row(band.band, band.requests, &band.waits));
    }
    let bound = &report.bound.waits;
    table.add_row(row("bound, first come first served", bound.started, bound));
    aligned(table)
}

fn row(name: &str, requests: u64, waits: &Waits) -> Vec<String> {
    let mut cells = vec![name.to_owned(), grouped(requests)];
    cells.extend(
        [
            waits.mean_ms,
            waits.p50_ms,
            waits.p95_ms,
            waits.p99_ms,
            waits.max_ms,
        ]
        .map(|ms| match waits.started {
            0 => "-".to_owned(),
            _ => span(ms),
        }),
    );
    cells
}

/// The heaviest, the lightest, and all that are not heavy.
fn tenants(report: &Report) -> Table {
    let each = &report.tenants.each;
    let mut table = table(&["tenants", "requests", "tokens", "share", "p50", "p95", "longest"]);
    let hidden = each.len().saturating_sub(2 * SHOWN);
    for (place, tenant) in each.iter().enumerate() {
        if place == SHOWN && hidden > 0 {
            table.add_row([format!("… {hidden} more")]);
        }
        if (SHOWN..SHOWN + hidden).contains(&place) {
            continue;
        }
        let waits = &tenant.waits;
        table.add_row([
            tenant.tenant.clone(),
            grouped(tenant.requests),
            grouped(tenant.tokens),
            format!("{} %", tenant.share_percent),
            span(waits.p50_ms),
            span(waits.p95_ms),
            span(waits.max_ms),
        ]);
    }
    let (light, heavy) = (&report.tenants.light, report.tenants.heavy);
    if light.started > 0 {
        table.add_row([
            format!("all but the heaviest {heavy}"),
            grouped(light.started),
            String::new(),
            String::new(),
            span(light.p50_ms),
            span(light.p95_ms),
            span(light.max_ms),
        ]);
    }
    aligned(table)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(header);
    table
}

fn aligned(mut table: Table) -> Table {
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if place > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// One answer as a sentence.
pub(crate) fn answered(answer: &Answer) -> String {
    let of = if answer.band == "all" {
        String::new()
    } else {
        format!("{} ", answer.band)
    };
    let wish = format!(
        "for {} % of {of}requests to wait {} at most",
        answer.percent,
        span(answer.target_ms)
    );
    let wait = answer.wait_ms.map_or_else(
        || "some of them then never start".to_owned(),
        |ms| format!("they then wait {}", span(ms)),
    );
    let name = answer.what;
    match (answer.value, answer.tried) {
        (Some(value), _) => {
            let cut = answer.cut_percent.filter(|cut| *cut > 0.0);
            let cut = cut.map_or(String::new(), |cut| format!(", {cut} % of answers cut short"));
            let bound = if name == "max_tokens" {
                "at most"
            } else {
                "at least"
            };
            format!("{wish}: {name} {bound} {} ({wait}{cut})", grouped(value))
        }
        (None, Some(tried)) if name == "max_tokens" => format!(
            "{wish}: no {name} that leaves 99 % of the answers whole; with {} {wait}",
            grouped(tried)
        ),
        (None, tried) => {
            format!(
                "{wish}: no {name} up to {}; {wait}, so something else binds",
                grouped(tried.unwrap_or(0))
            )
        }
    }
}
