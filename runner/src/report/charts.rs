//! Charts over time, as SVG that follows the page's colours.

use elenchus_core::FaultWindow;
use plotters::prelude::*;

use super::figures::{self, Slice};
use super::{ReportError, Run, counterexample};

/// A drawing.
pub(super) struct Chart {
    /// The name of its file, without `.svg`.
    pub(super) name: String,
    /// What it shows.
    pub(super) title: String,
    pub(super) svg: String,
}

const WIDTH: u32 = 960;
const HEIGHT: u32 = 260;

/// Blue, orange, vermilion and purple of a palette that colour-blind readers can tell apart (Okabe & Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const PURPLE: RGBColor = RGBColor(204, 121, 167);

/// A grey that is read on white and on black, which the page replaces by its own ink.
const INK: RGBColor = RGBColor(118, 118, 119);

/// Axes and grid alike in all charts; a macro, because the types of the axes differ.
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
pub(super) fn draw(run: &Run) -> Result<Vec<Chart>, ReportError> {
    let Ok(operations) = run.history.operations() else { return Ok(Vec::new()) };
    let slices = figures::slices(&run.history, &operations);
    let windows = run.history.fault_windows();
    let end_s = run.history.events.last().map_or(1.0, |event| event.time.as_secs_f64()).max(0.1);
    let mut charts = counterexample::draw(run, &operations);
    let made = |error: Box<dyn std::error::Error>| ReportError::Made(error.to_string());
    let latency = latency(&slices, &windows, end_s).map_err(made)?;
    charts.push(Chart {
        name: "latency".to_owned(),
        title: "Latency of successful operations (ms): median, 95 %, 99 %, longest".to_owned(),
        svg: latency,
    });
    let rate = rate(&slices, &windows, end_s).map_err(made)?;
    charts.push(Chart { name: "rate".to_owned(), title: "Operations a second: ok, fail, in doubt".to_owned(), svg: rate });
    Ok(charts)
}

fn latency(slices: &[Slice], windows: &[FaultWindow], end_s: f64) -> Result<String, Box<dyn std::error::Error>> {
    let points: Vec<(f64, [f64; 4])> = slices.iter().filter_map(|slice| slice.latency_ms.map(|ms| (slice.at_s, ms))).collect();
    let top = points.iter().map(|(_, ms)| ms[3]).fold(1.0, f64::max) * 1.5;
    let bottom = points.iter().map(|(_, ms)| ms[0]).fold(top, f64::min).max(0.01) / 1.5;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .x_label_area_size(30)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..end_s, (bottom..top).log_scale())?;
        chart.draw_series(windows.iter().map(|window| shade(window, end_s, bottom, top)))?;
        mesh!(chart);
        for (quantile, color) in [(3, PURPLE), (2, VERMILION), (1, ORANGE), (0, BLUE)] {
            let line = points.iter().map(|(at, ms)| (*at, ms[quantile].max(bottom)));
            chart.draw_series(LineSeries::new(line, color.stroke_width(if quantile == 0 { 2 } else { 1 })))?;
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
        chart.draw_series(windows.iter().map(|window| shade(window, end_s, 0.0, top)))?;
        mesh!(chart);
        for (outcome, color) in [(0, BLUE), (1, ORANGE), (2, VERMILION)] {
            chart.draw_series(LineSeries::new(slices.iter().map(|slice| (slice.at_s, slice.rates[outcome])), color.stroke_width(2)))?;
        }
        area.present()?;
    }
    Ok(follow_page(&svg))
}

fn shade(window: &FaultWindow, end_s: f64, bottom: f64, top: f64) -> Rectangle<(f64, f64)> {
    let color = match window.fault.as_str() {
        "partition" => VERMILION,
        "pause" => BLUE,
        _ => INK,
    };
    let to = window.to.map_or(end_s, |to| to.as_secs_f64()).min(end_s);
    Rectangle::new([(window.from.as_secs_f64(), bottom), (to, top)], color.mix(0.15).filled())
}

/// Lets the page decide the ink and the size.
fn follow_page(svg: &str) -> String {
    svg.replace("#767677", "currentColor").replacen(&format!("width=\"{WIDTH}\" height=\"{HEIGHT}\""), "width=\"100%\" role=\"img\"", 1)
}
