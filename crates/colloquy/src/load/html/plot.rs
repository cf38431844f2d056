//! Plots as SVG that is written by hand: lines, steps and dots over two axes.

use std::fmt::Write as _;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
/// Room for labels.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;
/// Marks on an axis, about.
const TICKS: f64 = 5.0;

/// A plot. Both axes begin at 0.
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// Of what is plotted.
    pub(super) unit: &'static str,
    pub(super) x: &'static str,
    pub(super) series: Vec<Series>,
    /// A part of the x axis.
    pub(super) shaded: Option<(f64, f64)>,
    /// Where the axes end, at least.
    pub(super) x_max: Option<f64>,
    pub(super) y_max: Option<f64>,
}

/// Some points.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// `a` or `b`: who says so.
    pub(super) class: &'static str,
    pub(super) kind: Kind,
    pub(super) points: Vec<(f64, f64)>,
}

/// How they are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Line,
    Steps,
    Dots,
}

/// Where a value lies.
struct Scale {
    x_end: f64,
    y_end: f64,
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        LEFT + (value / self.x_end).min(1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value / self.y_end).min(1.0) * (HEIGHT - TOP - BOTTOM)
    }
}

impl Plot {
    /// With its title and its key.
    pub(super) fn figure(&self) -> String {
        let mut figure = format!("<figure>\n<figcaption><b>{}</b>", self.title);
        let drawn: Vec<&Series> = self
            .series
            .iter()
            .filter(|series| !series.points.is_empty())
            .collect();
        for series in &drawn {
            let _ = write!(
                figure,
                "<span class=\"name\"><span class=\"key {}\"></span>{}</span>",
                series.class, series.name
            );
        }
        figure.push_str("</figcaption>\n");
        if drawn.is_empty() {
            figure.push_str("<p class=\"none\">Not measured.</p>\n");
        } else {
            self.svg(&drawn, &mut figure);
        }
        figure.push_str("</figure>\n");
        figure
    }

    fn svg(&self, drawn: &[&Series], out: &mut String) {
        let points = || drawn.iter().flat_map(|series| &series.points);
        let largest = |of: fn(&(f64, f64)) -> f64, least: Option<f64>| {
            points().map(of).chain(least).fold(0.0, f64::max)
        };
        let (x_step, x_end) = axis(largest(|point| point.0, self.x_max));
        let (y_step, y_end) = match self.y_max {
            Some(y_max) => (y_max / 4.0, y_max),
            None => axis(largest(|point| point.1, None)),
        };
        let x_end = self.x_max.filter(|x_max| *x_max > 0.0).unwrap_or(x_end);
        let scale = Scale { x_end, y_end };
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.title
        );
        if let Some((from, until)) = self.shaded {
            let (left, right) = (scale.x(from), scale.x(until));
            let _ = writeln!(
                out,
                "<rect class=\"held\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                right - left,
                HEIGHT - TOP - BOTTOM
            );
        }
        self.axes(&scale, x_step, y_step, out);
        for series in drawn {
            series.draw(&scale, out);
        }
        out.push_str("</svg>\n");
    }

    fn axes(&self, scale: &Scale, x_step: f64, y_step: f64, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for value in ticks(y_step, scale.y_end) {
            let y = scale.y(value);
            let class = if value > 0.0 { "grid" } else { "axis" };
            let _ = writeln!(
                out,
                "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/><text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                label(value, y_step)
            );
        }
        for value in ticks(x_step, scale.x_end) {
            let x = scale.x(value);
            let _ = writeln!(
                out,
                "<line class=\"axis\" x1=\"{x:.1}\" y1=\"{bottom}\" x2=\"{x:.1}\" y2=\"{:.1}\"/><text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 4.0,
                bottom + 17.0,
                label(value, x_step)
            );
        }
        let _ = writeln!(
            out,
            "<text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 6.0,
            self.x
        );
        if !self.unit.is_empty() {
            let y = (TOP + bottom) / 2.0;
            let _ = writeln!(
                out,
                "<text class=\"x\" x=\"11\" y=\"{y:.1}\" transform=\"rotate(-90 11 {y:.1})\">{}</text>",
                self.unit
            );
        }
    }
}

impl Series {
    fn draw(&self, scale: &Scale, out: &mut String) {
        if self.kind == Kind::Dots {
            let _ = writeln!(out, "<g class=\"dots {}\">", self.class);
            for (x, y) in &self.points {
                let _ = writeln!(
                    out,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\"/>",
                    scale.x(*x),
                    scale.y(*y)
                );
            }
            out.push_str("</g>\n");
            return;
        }
        let mut path = String::new();
        for (index, (x, y)) in self.points.iter().enumerate() {
            let (x, y) = (scale.x(*x), scale.y(*y));
            let _ = match (index, self.kind) {
                (0, _) => write!(path, "M{x:.1} {y:.1}"),
                (_, Kind::Steps) => write!(path, "H{x:.1}V{y:.1}"),
                (_, Kind::Line | Kind::Dots) => write!(path, "L{x:.1} {y:.1}"),
            };
        }
        let _ = writeln!(out, "<path class=\"line {}\" d=\"{path}\"/>", self.class);
    }
}

/// Distance of two marks, 1, 2 or 5 times a power of ten, and the first mark that nothing lies beyond.
fn axis(largest: f64) -> (f64, f64) {
    if largest <= 0.0 || !largest.is_finite() {
        return (1.0, 1.0);
    }
    let rough = largest / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(power * 10.0);
    (step, (largest / step - 1e-9).ceil().max(1.0) * step)
}

fn ticks(step: f64, end: f64) -> impl Iterator<Item = f64> {
    (0_u32..=20)
        .map(move |number| f64::from(number) * step)
        .take_while(move |value| *value <= end * 1.000_001)
}

/// With as many decimals as the step has.
fn label(value: f64, step: f64) -> String {
    let decimals = if step >= 1.0 {
        0
    } else if step >= 0.1 {
        1
    } else if step >= 0.01 {
        2
    } else {
        3
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_a_round_mark_beyond_the_largest_value() {
        for (largest, step, end) in [
            (10.0, 2.0, 10.0),
            (9.3, 2.0, 10.0),
            (103.0, 50.0, 150.0),
            (0.07, 0.02, 0.08),
            (1.0, 0.2, 1.0),
            (0.0, 1.0, 1.0),
        ] {
            let (got_step, got_end) = axis(largest);
            assert!(
                (got_step - step).abs() < 1e-9 && (got_end - end).abs() < 1e-9,
                "{largest}: {got_step} {got_end}"
            );
        }
    }

    #[test]
    fn a_plot_without_points_says_so() {
        let plot = Plot {
            title: "T",
            unit: "",
            x: "s",
            series: Vec::new(),
            shaded: None,
            x_max: Some(10.0),
            y_max: None,
        };
        assert!(plot.figure().contains("Not measured."));
    }

    #[test]
    fn points_beyond_the_axis_are_drawn_at_its_end() {
        let series = Series {
            name: "n",
            class: "a",
            kind: Kind::Line,
            points: vec![(0.0, 0.0), (20.0, 100.0)],
        };
        let mut out = String::new();
        series.draw(
            &Scale {
                x_end: 10.0,
                y_end: 100.0,
            },
            &mut out,
        );
        assert!(out.contains("M52.0 200.0L546.0 12.0"), "{out}");
    }
}
