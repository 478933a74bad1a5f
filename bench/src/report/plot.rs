//! Bars beside each other, as an SVG that stands alone: no script, no font and no picture from elsewhere.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// A picture: groups of bars under each other, and for each bar a value on every axis, the axes beside each other.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plot {
    /// What is shown.
    pub axes: Vec<Axis>,
    /// Of what.
    pub groups: Vec<Group>,
}

/// One axis.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Axis {
    title: String,
    unit: String,
    /// The end of a linear axis; none: logarithmic from a hundredth to the largest value.
    end: Option<f64>,
}

impl Axis {
    /// From nothing to `end`, or to the largest value if that is larger.
    pub fn linear(title: &str, unit: &str, end: f64) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
            end: Some(end),
        }
    }

    /// In powers of ten from a hundredth.
    pub fn logarithmic(title: &str, unit: &str) -> Self {
        Self {
            title: title.to_owned(),
            unit: unit.to_owned(),
            end: None,
        }
    }
}

/// Bars under one heading: each with its name, and a value for each axis. A value without an end is shown as such.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Group {
    /// The heading.
    pub title: String,
    /// The bars.
    pub bars: Vec<(String, Vec<Value>)>,
}

/// A value; JSON has no infinity, so it stands as a word.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Not measured.
    None,
    /// A number.
    Number(f64),
    /// More than any.
    Endless,
}

impl From<Option<f64>> for Value {
    fn from(value: Option<f64>) -> Self {
        match value {
            None => Self::None,
            Some(value) if value.is_finite() => Self::Number(value),
            Some(_) => Self::Endless,
        }
    }
}

/// Pixels: the names' column, an axis's column, a bar's row, a heading's row, the top.
const NAMES: f64 = 210.0;
const COLUMN: f64 = 200.0;
const BAR: f64 = 17.0;
const HEADING: f64 = 26.0;
const TOP: f64 = 44.0;
/// The longest bar; the rest of a column is for its value.
const LONGEST: f64 = 130.0;
/// Where a logarithmic axis begins.
const LEAST: f64 = 0.01;

const COLOURS: [&str; 9] = [
    "#0b6e4f", "#4c9f70", "#8d99ae", "#e07a5f", "#d1495b", "#edae49", "#66547a", "#3d5a80", "#98c1d9",
];

impl Plot {
    /// As an SVG document.
    pub fn svg(&self, title: &str) -> String {
        let bars: usize = self.groups.iter().map(|group| group.bars.len()).sum();
        let height = TOP + bars as f64 * BAR + self.groups.len() as f64 * HEADING + 10.0;
        let width = NAMES + self.axes.len() as f64 * COLUMN;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\" font-family=\"sans-serif\" font-size=\"11\">\n<title>{}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
            escaped(title)
        );
        text(
            &mut svg,
            10.0,
            18.0,
            "font-size=\"13\" font-weight=\"bold\" fill=\"#222222\"",
            title,
        );
        for (number, axis) in self.axes.iter().enumerate() {
            text(
                &mut svg,
                column(number),
                36.0,
                "font-weight=\"bold\" fill=\"#444444\"",
                &axis.title,
            );
        }
        let ends = self.ends();
        let names = self.names();
        let mut y = TOP;
        for group in &self.groups {
            text(
                &mut svg,
                10.0,
                y + HEADING - 8.0,
                "font-style=\"italic\" fill=\"#444444\"",
                &group.title,
            );
            y += HEADING;
            for (name, values) in &group.bars {
                let colour = names.iter().position(|each| *each == name).unwrap_or_default();
                self.bar(&mut svg, y, name, values, &ends, COLOURS[colour % COLOURS.len()]);
                y += BAR;
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Takes the bars of an earlier picture's targets that `is_old` names beside its own, in the order of `titles`.
    pub(super) fn join(&mut self, before: Self, is_old: impl Fn(&str) -> bool, titles: &[String]) {
        for old in before.groups {
            let bars = old.bars.into_iter().filter(|(name, _)| is_old(name));
            if let Some(group) = self.groups.iter_mut().find(|group| group.title == old.title) {
                group.bars.extend(bars);
                group
                    .bars
                    .sort_by_key(|(name, _)| titles.iter().position(|title| title == name));
            }
        }
    }

    fn bar(&self, svg: &mut String, y: f64, name: &str, values: &[Value], ends: &[f64], colour: &str) {
        text(svg, 22.0, y + 12.0, "fill=\"#222222\"", name);
        for (number, ((axis, value), end)) in self.axes.iter().zip(values).zip(ends).enumerate() {
            let x = column(number);
            let (length, label) = match value {
                Value::None => (0.0, "–".to_owned()),
                Value::Endless => (LONGEST, "never".to_owned()),
                Value::Number(value) => (axis.length(*value, *end), axis.label(*value)),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"{}/>",
                y + 2.0,
                BAR - 4.0,
                if *value == Value::Endless {
                    " opacity=\"0.35\""
                } else {
                    ""
                },
            );
            text(svg, x + length + 4.0, y + 12.0, "fill=\"#444444\"", &label);
        }
    }

    /// Where each axis ends.
    fn ends(&self) -> Vec<f64> {
        let largest = |number: usize| {
            let bars = self.groups.iter().flat_map(|group| &group.bars);
            bars.filter_map(|(_, values)| match values.get(number) {
                Some(Value::Number(value)) => Some(*value),
                _ => None,
            })
            .fold(0.0, f64::max)
        };
        let axes = self.axes.iter().enumerate();
        axes.map(|(number, axis)| largest(number).max(axis.end.unwrap_or(LEAST * 10.0)))
            .collect()
    }

    fn names(&self) -> Vec<&String> {
        let mut names = Vec::new();
        for (name, _) in self.groups.iter().flat_map(|group| &group.bars) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Axis {
    fn length(&self, value: f64, end: f64) -> f64 {
        let share = if self.end.is_some() {
            value / end
        } else {
            (value.max(LEAST) / LEAST).ln() / (end / LEAST).ln()
        };
        share.clamp(0.0, 1.0) * LONGEST
    }

    fn label(&self, value: f64) -> String {
        let decimals = if value >= 100.0 {
            0
        } else if value >= 1.0 {
            1
        } else {
            2
        };
        format!("{value:.decimals$} {}", self.unit).trim_end().to_owned()
    }
}

fn column(number: usize) -> f64 {
    NAMES + number as f64 * COLUMN
}

fn text(svg: &mut String, x: f64, y: f64, style: &str, content: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>",
        escaped(content)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        Plot {
            axes: vec![
                Axis::linear("answered", "%", 100.0),
                Axis::logarithmic("wait", "s"),
            ],
            groups: vec![Group {
                title: "a & b".to_owned(),
                bars: vec![
                    ("one".to_owned(), vec![Value::Number(50.0), Value::Number(10.0)]),
                    ("two".to_owned(), vec![Value::Number(0.0), Value::Endless]),
                ],
            }],
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_value() {
        let svg = plot().svg("Title");
        assert!(svg.contains("width=\"65.0\""), "half of the longest: {svg}");
        assert_eq!(
            svg.matches("width=\"130.0\"").count(),
            2,
            "the largest and the endless: {svg}"
        );
        assert!(svg.contains("a &amp; b") && svg.contains(">never<"));
    }

    #[test]
    fn a_plot_is_kept_between_runs() {
        let kept = serde_json::to_string(&plot()).unwrap_or_default();
        let read: Plot = serde_json::from_str(&kept).unwrap_or_default();
        assert_eq!(read.svg("Title"), plot().svg("Title"));
    }
}
