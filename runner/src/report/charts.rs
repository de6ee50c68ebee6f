//! Charts over time, as SVG in the page's colours.

use elenchus_core::{FaultWindow, Symbol};
use plotters::prelude::*;

use super::chart::Chart;
use super::figures::{self, Slice};
use super::{JudgedRun, ReportError, counterexample, timeline};
use crate::clock_sample::ClockSample;

const WIDTH: u32 = 960;
const HEIGHT: u32 = 260;

/// Colours of a palette for colour-blind readers (Okabe & Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const PURPLE: RGBColor = RGBColor(204, 121, 167);

/// A grey that is legible on white and black, which the page replaces by its text colour.
const INK: RGBColor = RGBColor(118, 118, 119);

/// The same axes and grid for all charts; a macro, because the types of the axes differ.
macro_rules! mesh {
    ($chart:ident) => {
        $chart
            .configure_mesh()
            .x_desc("seconds")
            .axis_style(INK)
            .light_line_style(TRANSPARENT)
            .bold_line_style(INK.mix(0.25))
            .label_style(("sans-serif", 12).into_font().color(&INK))
            .draw()?
    };
}

/// All charts of a run.
pub(super) fn draw(run: &JudgedRun) -> Result<Vec<Chart>, ReportError> {
    let Ok(operations) = run.history.operations() else { return Ok(Vec::new()) };
    let slices = figures::slices(&run.history, &operations);
    let windows = run.history.fault_windows();
    let end_s = run.history.events.last().map_or(1.0, |event| event.time.as_secs_f64()).max(0.1);
    let mut charts = counterexample::draw(run, &operations);
    let shades = legend(&windows);
    let with_shades =
        |lines: &[(&'static str, &str)]| lines.iter().map(|(color, name)| (*color, (*name).to_owned())).chain(shades.clone()).collect();
    let made = |error: Box<dyn std::error::Error>| ReportError::Render(error.to_string());
    let latency = latency(&slices, &windows, end_s).map_err(made)?;
    charts.push(Chart {
        name: "latency".to_owned(),
        title: "Latency of successful operations, in milliseconds".to_owned(),
        legend: with_shades(&[("#0072b2", "median"), ("#e69f00", "95 %"), ("#d55e00", "99 %"), ("#cc79a7", "maximum")]),
        svg: latency,
    });
    let rate = rate(&slices, &windows, end_s).map_err(made)?;
    let [ok, fail, info] = timeline::OUTCOMES;
    let outcomes = [(ok, "ok"), (fail, "fail"), (info, "info (unknown outcome)")];
    charts.push(Chart {
        name: "rate".to_owned(),
        title: "Operations per second, by outcome".to_owned(),
        legend: with_shades(&outcomes),
        svg: rate,
    });
    if let Some((nodes, svg)) = clocks(&run.clocks, &windows, end_s).map_err(made)? {
        let lines: Vec<(&'static str, &str)> = NODES.iter().cycle().zip(&nodes).map(|((_, css), node)| (*css, node.as_str())).collect();
        charts.push(Chart {
            name: "clocks".to_owned(),
            title: "Clock skew of each node against the control node, as its system saw it, in seconds".to_owned(),
            legend: with_shades(&lines),
            svg,
        });
    }
    let (svg, hidden) = timeline::draw(&run.history, &operations);
    let more = if hidden == 0 { String::new() } else { format!("; {hidden} more are not shown") };
    charts.push(Chart {
        name: "timeline".to_owned(),
        title: format!("Operations of every process, one lane per worker{more}"),
        legend: outcomes.map(|(color, name)| (color, name.to_owned())).to_vec(),
        svg,
    });
    Ok(charts)
}

fn latency(slices: &[Slice], windows: &[FaultWindow], end_s: f64) -> Result<String, Box<dyn std::error::Error>> {
    let measured = || slices.iter().filter_map(|slice| slice.latency_ms);
    let top = measured().map(|ms| ms[3]).fold(1.0, f64::max) * 1.5;
    let bottom = measured().map(|ms| ms[0]).fold(top, f64::min).max(0.01) / 1.5;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(30)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..end_s, (bottom..top).log_scale())?;
        chart.draw_series(shades(windows, end_s, bottom, top))?;
        mesh!(chart);
        for (quantile, color) in [(3, PURPLE), (2, VERMILION), (1, ORANGE), (0, BLUE)] {
            let style = color.stroke_width(if quantile == 0 { 2 } else { 1 });
            // No line where no operation succeeded.
            for period in slices.chunk_by(|a, b| a.latency_ms.is_some() && b.latency_ms.is_some()) {
                let points: Vec<(f64, f64)> =
                    period.iter().filter_map(|slice| Some((slice.at_s, slice.latency_ms?[quantile].max(bottom)))).collect();
                match points.as_slice() {
                    [] => {}
                    [alone] => drop(chart.draw_series([Circle::new(*alone, 2, color.filled())])?),
                    _ => drop(chart.draw_series(LineSeries::new(points, style))?),
                }
            }
        }
        area.present()?;
    }
    Ok(follow_page(&svg))
}

fn rate(slices: &[Slice], windows: &[FaultWindow], end_s: f64) -> Result<String, Box<dyn std::error::Error>> {
    let top = slices.iter().flat_map(|slice| slice.rates).fold(1.0, f64::max) * 1.1;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart =
            ChartBuilder::on(&area).margin(8).x_label_area_size(30).y_label_area_size(56).build_cartesian_2d(0.0..end_s, 0.0..top)?;
        chart.draw_series(shades(windows, end_s, 0.0, top))?;
        mesh!(chart);
        for (outcome, color) in [(0, BLUE), (1, ORANGE), (2, VERMILION)] {
            chart.draw_series(LineSeries::new(slices.iter().map(|slice| (slice.at_s, slice.rates[outcome])), color.stroke_width(2)))?;
        }
        area.present()?;
    }
    Ok(follow_page(&svg))
}

/// The colours of nodes, in turn.
const NODES: [(RGBColor, &str); 6] = [
    (BLUE, "#0072b2"),
    (ORANGE, "#e69f00"),
    (VERMILION, "#d55e00"),
    (PURPLE, "#cc79a7"),
    (RGBColor(0, 158, 115), "#009e73"),
    (RGBColor(86, 180, 233), "#56b4e9"),
];

/// The largest skew that counts as none, beyond the error of measurement, in nanoseconds.
const SKEW_MIN_NS: u64 = 10_000_000;

/// The nodes, and the drawing with a line for each.
type Clocks = (Vec<String>, String);

/// The skew of the nodes' clocks; none where no clock was skewed.
fn clocks(samples: &[ClockSample], windows: &[FaultWindow], end_s: f64) -> Result<Option<Clocks>, Box<dyn std::error::Error>> {
    let is_skewed = |sample: &ClockSample| sample.reading.shown_ns().unsigned_abs() > sample.reading.within_ns.saturating_add(SKEW_MIN_NS);
    if !samples.iter().any(is_skewed) {
        return Ok(None);
    }
    let mut nodes: Vec<String> = samples.iter().map(|sample| sample.node.clone()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let shown_s = |sample: &ClockSample| sample.reading.shown_ns() as f64 / 1e9;
    let (low, high) = samples.iter().map(shown_s).fold((0.0, 0.0), |(low, high): (f64, f64), s| (low.min(s), high.max(s)));
    let (bottom, top) = (low - (high - low) * 0.1, high + (high - low) * 0.1);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart =
            ChartBuilder::on(&area).margin(8).x_label_area_size(30).y_label_area_size(56).build_cartesian_2d(0.0..end_s, bottom..top)?;
        chart.draw_series(shades(windows, end_s, bottom, top))?;
        mesh!(chart);
        for (node, (color, _)) in nodes.iter().zip(NODES.iter().cycle()) {
            let own = samples.iter().filter(|sample| sample.node == *node);
            chart.draw_series(LineSeries::new(own.map(|sample| (sample.time.as_secs_f64(), shown_s(sample))), color.stroke_width(2)))?;
        }
        area.present()?;
    }
    Ok(Some((nodes, follow_page(&svg))))
}

/// The colours of kinds of fault, for the charts and for the page.
const SHADES: [(RGBColor, &str); 6] = [
    (VERMILION, "#d55e0044"),
    (BLUE, "#0072b244"),
    (RGBColor(0, 158, 115), "#009e7344"),
    (PURPLE, "#cc79a744"),
    (ORANGE, "#e69f0044"),
    (INK, "#76767744"),
];

/// The kinds of fault of a run, by name.
fn kinds(windows: &[FaultWindow]) -> Vec<Symbol> {
    let mut kinds: Vec<Symbol> = windows.iter().map(|window| window.fault).collect();
    kinds.sort_unstable_by_key(|kind| kind.as_str());
    kinds.dedup();
    kinds
}

fn legend(windows: &[FaultWindow]) -> Vec<(&'static str, String)> {
    kinds(windows).iter().zip(SHADES.iter().cycle()).map(|(kind, (_, css))| (*css, format!("{kind} in force"))).collect()
}

/// A rectangle for the time that each fault was in force.
fn shades(windows: &[FaultWindow], end_s: f64, bottom: f64, top: f64) -> Vec<Rectangle<(f64, f64)>> {
    let kinds = kinds(windows);
    let shade = |window: &FaultWindow| {
        let kind = kinds.iter().position(|kind| *kind == window.fault).unwrap_or(0);
        let to = window.to.map_or(end_s, |to| to.as_secs_f64()).min(end_s);
        Rectangle::new([(window.from.as_secs_f64(), bottom), (to, top)], SHADES[kind % SHADES.len()].0.mix(0.15).filled())
    };
    windows.iter().map(shade).collect()
}

/// Takes text colour and size from the page.
fn follow_page(svg: &str) -> String {
    svg.replace("#767677", "currentColor").replacen(&format!("width=\"{WIDTH}\" height=\"{HEIGHT}\""), "width=\"100%\" role=\"img\"", 1)
}

#[cfg(test)]
mod tests {
    use elenchus_core::Nanos;
    use elenchus_nemesis::ClockReading as Reading;

    use super::*;

    #[test]
    fn clocks_are_drawn_where_one_was_skewed() {
        let sample = |s: u64, node: &str, process_ns: Option<i64>| ClockSample {
            time: Nanos(s * 1_000_000_000),
            node: node.to_owned(),
            reading: Reading { machine_ns: 2_000_000, process_ns, within_ns: 3_000_000 },
        };
        let right = [sample(0, "n2", None), sample(0, "n1", None), sample(1, "n2", None)];
        assert!(clocks(&right, &[], 2.0).unwrap().is_none());
        let wrong = [&right[..], &[sample(2, "n2", Some(-60_000_000_000))]].concat();
        let (nodes, svg) = clocks(&wrong, &[], 2.0).unwrap().expect("drawn");
        assert_eq!(nodes, ["n1", "n2"]);
        assert!(svg.contains("-60.0") && svg.matches("<polyline").count() >= 1, "{svg}");
    }
}
