//! The operations of all processes over time: one lane for each worker.

use std::fmt::Write as _;

use elenchus_core::{History, Kind, Operation, Process};
use rustc_hash::FxHashMap;

/// The number of time slots of a lane, and the largest number of lanes drawn.
const SLOTS: usize = 480;
const LANES: usize = 64;

const SLOT: usize = 2;
const LANE: usize = 9;

/// The colours of ok, fail and info: Okabe & Ito's blue, orange and vermilion.
pub(super) const OUTCOMES: [&str; 3] = ["#0072b2", "#e69f00", "#d55e00"];

/// The drawing, and the number of lanes that it leaves out.
///
/// A slot shows the worst outcome of the operations that were open in it: info, then fail, then ok. A process that begins takes the lane of one that ended
/// in info before, so that lanes are workers. Linear in the history; the size of the drawing is bounded.
pub(super) fn draw(history: &History, operations: &[Operation<'_>]) -> (String, usize) {
    let end = history.events.last().map_or(1, |event| event.time.0).max(1);
    let slot = |time: u64| (time.saturating_mul(SLOTS as u64) / end).min(SLOTS as u64 - 1) as usize;
    let mut lanes: Vec<[u8; SLOTS]> = Vec::new();
    let mut lane_of: FxHashMap<Process, usize> = FxHashMap::default();
    let mut retired: std::collections::BTreeMap<(u64, usize), ()> = std::collections::BTreeMap::new();
    for operation in operations {
        let from = history.event(operation.invoked).time.0;
        let lane = *lane_of.entry(operation.process).or_insert_with(|| {
            let free = retired.first_entry().filter(|entry| entry.key().0 <= from).map(|entry| entry.remove_entry().0.1);
            free.unwrap_or_else(|| {
                lanes.push([0; SLOTS]);
                lanes.len() - 1
            })
        });
        let to = operation.completed.map_or(end, |completed| history.event(completed).time.0);
        let severity = match operation.kind {
            Kind::Ok => 1,
            Kind::Fail => 2,
            _ => 3,
        };
        for cell in &mut lanes[lane][slot(from)..=slot(to)] {
            *cell = severity.max(*cell);
        }
        if operation.kind == Kind::Info {
            retired.insert((to, lane), ());
        }
    }
    let hidden = lanes.len().saturating_sub(LANES);
    lanes.truncate(LANES);
    (picture(&lanes, end as f64 / 1e9), hidden)
}

fn picture(lanes: &[[u8; SLOTS]], seconds: f64) -> String {
    let (width, height) = (SLOTS * SLOT, lanes.len() * LANE + 24);
    let mut paths = [String::new(), String::new(), String::new()];
    for (row, lane) in lanes.iter().enumerate() {
        let middle = row * LANE + LANE / 2;
        let mut at = 0;
        for run in lane.chunk_by(|a, b| a == b) {
            if let Some(path) = usize::from(run[0]).checked_sub(1).and_then(|outcome| paths.get_mut(outcome)) {
                let _ = write!(path, "M{} {middle}h{}", at * SLOT, run.len() * SLOT);
            }
            at += run.len();
        }
    }
    let mut svg =
        format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\">");
    for (path, color) in paths.iter().zip(OUTCOMES) {
        let _ = write!(svg, "<path d=\"{path}\" stroke=\"{color}\" stroke-width=\"{}\" fill=\"none\"/>", LANE - 2);
    }
    for tenth in 0..=10 {
        let anchor = ["start", "middle", "end"][usize::from(tenth > 0) + usize::from(tenth == 10)];
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" font-size=\"12\" fill=\"currentColor\" text-anchor=\"{anchor}\">{:.1} s</text>",
            width * tenth / 10,
            height - 6,
            seconds * tenth as f64 / 10.0
        );
    }
    svg.push_str("</svg>");
    svg
}
