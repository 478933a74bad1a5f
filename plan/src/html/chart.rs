//! A plot of some curves, as SVG that the page's own colours paint.

use super::page::escaped;
use super::scale::{Scale, short};
use std::fmt::{self, Write};

/// In the units of the SVG, which the page scales to its width.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 56.0;
const BELOW: f64 = 40.0;
const ABOVE: f64 = 12.0;
const RIGHT: f64 = 16.0;

/// One curve.
pub(super) struct Curve<'a> {
    pub(super) name: &'a str,
    /// The class that gives it its colour and dashes.
    pub(super) class: &'a str,
    pub(super) points: &'a [(f64, f64)],
    /// Points farther apart than this are not joined.
    pub(super) joined_within: f64,
}

/// A plot.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    pub(super) x_name: &'a str,
    pub(super) y_name: &'a str,
    pub(super) x: Scale,
    pub(super) y: Scale,
    pub(super) curves: Vec<Curve<'a>>,
    /// A level drawn across, with its name.
    pub(super) level: Option<(f64, &'a str)>,
}

impl Chart<'_> {
    /// The figure with its legend.
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "<figure><figcaption>{}</figcaption>", escaped(self.title))?;
        self.legend(out)?;
        writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(self.title)
        )?;
        self.axes(out)?;
        if let Some((level, _)) = self.level {
            let y = self.down(level);
            writeln!(
                out,
                "<line class=\"level\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>",
                WIDTH - RIGHT
            )?;
        }
        for curve in self.curves.iter().filter(|curve| !curve.points.is_empty()) {
            let path = self.path(curve);
            writeln!(
                out,
                "<path class=\"curve {}\" d=\"{path}\"><title>{}</title></path>",
                curve.class,
                escaped(curve.name)
            )?;
        }
        writeln!(out, "</svg></figure>")
    }

    fn path(&self, curve: &Curve<'_>) -> String {
        let mut path = String::new();
        let mut before: Option<f64> = None;
        for (x, y) in curve.points {
            let joined = before.is_some_and(|before| x - before <= curve.joined_within);
            let (along, down) = (self.along(*x), self.down(*y));
            // A point by itself is a line of no length, which its round ends make a dot.
            let begin = if joined {
                String::new()
            } else {
                format!("M{along:.1} {down:.1}")
            };
            path += &format!("{begin}L{along:.1} {down:.1}");
            before = Some(*x);
        }
        path
    }

    fn legend(&self, out: &mut String) -> fmt::Result {
        write!(out, "<p class=\"legend\">")?;
        let curves = self.curves.iter().filter(|curve| !curve.points.is_empty());
        let level = self.level.map(|(_, name)| (name, "level"));
        for (name, class) in curves.map(|curve| (curve.name, curve.class)).chain(level) {
            write!(
                out,
                "<span><svg class=\"key\" viewBox=\"0 0 24 8\" aria-hidden=\"true\"><line class=\"curve {class}\" x1=\"0\" \
                 x2=\"24\" y1=\"4\" y2=\"4\"/></svg>{}</span> ",
                escaped(name)
            )?;
        }
        writeln!(out, "</p>")
    }

    fn axes(&self, out: &mut String) -> fmt::Result {
        let (bottom, right) = (HEIGHT - BELOW, WIDTH - RIGHT);
        for mark in self.y.marks() {
            let (y, text) = (self.down(mark), short(mark));
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            )?;
            writeln!(
                out,
                "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{text}</text>",
                LEFT - 6.0,
                y + 4.0
            )?;
        }
        for mark in self.x.marks() {
            let (x, text) = (self.along(mark), short(mark));
            writeln!(
                out,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{ABOVE}\" y2=\"{bottom}\"/>"
            )?;
            writeln!(
                out,
                "<text class=\"mid\" x=\"{x:.1}\" y=\"{}\">{text}</text>",
                bottom + 15.0
            )?;
        }
        let middle = f64::midpoint(ABOVE, bottom);
        writeln!(
            out,
            "<text class=\"mid name\" x=\"{}\" y=\"{}\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 6.0,
            escaped(self.x_name)
        )?;
        writeln!(
            out,
            "<text class=\"mid name\" transform=\"translate(11 {middle}) rotate(-90)\">{}</text>",
            escaped(self.y_name)
        )
    }

    fn along(&self, x: f64) -> f64 {
        LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT)
    }

    fn down(&self, y: f64) -> f64 {
        HEIGHT - BELOW - self.y.place(y) * (HEIGHT - BELOW - ABOVE)
    }
}
