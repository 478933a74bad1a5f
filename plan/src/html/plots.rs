//! The plots of the page.

use super::chart::{Chart, Curve};
use super::scale::Scale;
use crate::report::{Report, Series};
use smoother_core::Priority;
use std::fmt::{self, Write};

/// Waits below this many seconds are drawn at the beginning of the axis.
const SHORTEST: f64 = 0.01;

pub(super) fn all(out: &mut String, report: &Report, series: &Series) -> fmt::Result {
    writeln!(out, "<h2>Over time</h2>")?;
    over_time(out, report, series)?;
    writeln!(out, "<h2>Distribution of waits</h2>")?;
    Chart {
        title: "Requests that waited no longer",
        x_name: "seconds of wait",
        y_name: "percent",
        x: Scale::log(SHORTEST, series.distribution.iter().flatten().map(|(x, _)| *x)),
        y: Scale::Linear { most: 100.0 },
        curves: by_band(&series.distribution, f64::INFINITY),
        level: None,
    }
    .write(out)
}

fn over_time(out: &mut String, report: &Report, series: &Series) -> fmt::Result {
    let x = Scale::exact(series.used.iter().map(|(x, _)| *x));
    let chart = |title, y_name, y, curves| Chart {
        title,
        x_name: "minutes since the first arrival",
        y_name,
        x,
        y,
        curves,
        level: None,
    };
    let y = Scale::log(SHORTEST, heights(&series.waits));
    let curves = by_band(&series.waits, series.waits_step * 1.5);
    chart("Wait of those that arrived then, p95", "seconds", y, curves).write(out)?;
    let curves = by_band(&series.depth, f64::INFINITY);
    chart(
        "Requests waiting",
        "requests",
        Scale::linear(heights(&series.depth)),
        curves,
    )
    .write(out)?;
    let quota = report.lane.tokens_per_minute as f64;
    let y = Scale::linear(heights([&series.used, &series.held]).chain([quota]));
    let curve = |name, class, points| Curve {
        name,
        class,
        points,
        joined_within: f64::INFINITY,
    };
    let curves = vec![
        curve("cost in the end", "used", &series.used),
        curve("with what running calls reserve", "held", &series.held),
    ];
    let title = "Tokens of the calls started within a minute, beside the quota";
    Chart {
        level: Some((quota, "quota")),
        ..chart(title, "tokens", y, curves)
    }
    .write(out)
}

fn heights<'a>(curves: impl IntoIterator<Item = &'a Vec<(f64, f64)>>) -> impl Iterator<Item = f64> {
    curves.into_iter().flatten().map(|(_, y)| *y)
}

fn by_band(curves: &[Vec<(f64, f64)>; 3], joined_within: f64) -> Vec<Curve<'_>> {
    let bands = Priority::ALL.into_iter().zip(curves);
    bands
        .map(|(band, points)| Curve {
            name: band.as_str(),
            class: band.as_str(),
            points,
            joined_within,
        })
        .collect()
}
