//! The picture: what the slowest of a hundred decisions takes, by how many requests wait.

use super::{Quantiles, micros};
use crate::lane::{Decision, SIZES};
use plotters::prelude::*;

const COLOURS: [RGBColor; 4] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
];

/// An SVG file's text.
pub fn decisions(figures: &[(usize, Vec<(Decision, Quantiles)>)]) -> String {
    let mut text = String::new();
    draw(figures, &mut text).expect("a picture in memory");
    text
}

fn draw(
    figures: &[(usize, Vec<(Decision, Quantiles)>)],
    text: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let of = |decision: Decision| {
        figures.iter().filter_map(move |(size, all)| {
            let (_, took) = all.iter().find(|(known, _)| *known == decision)?;
            Some((*size as f64, micros(took.p99)))
        })
    };
    let highest = Decision::ALL
        .into_iter()
        .flat_map(of)
        .map(|(_, p99)| p99)
        .fold(10.0, f64::max);
    let sizes = SIZES[0] as f64..SIZES[SIZES.len() - 1] as f64;
    let area = SVGBackend::with_string(text, (720, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(52)
        .build_cartesian_2d(sizes.log_scale(), 0.0..highest * 1.1)?;
    chart
        .configure_mesh()
        .x_desc("requests that wait")
        .y_desc("p99, µs")
        .x_label_formatter(&|size| format!("{size:.0}"))
        .draw()?;
    for (decision, colour) in Decision::ALL.into_iter().zip(COLOURS) {
        chart
            .draw_series(LineSeries::new(of(decision), colour.stroke_width(2)))?
            .label(decision.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}
