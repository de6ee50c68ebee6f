//! Operations in lanes: a row per process, a bar per operation, time from left to right, and a line for a partial linearization.
//!
//! Events are spaced evenly: only their order is evidence, and operations that are a nanosecond apart must remain distinguishable. Each
//! linearization point lies within its operation's bar; the points go from left to right, because the order respects real time.

use std::fmt::Write as _;

use elenchus_core::{EventIndex, Kind, Operation, Process};

use super::{BLUE, GREY, VERMILION, escape, label};
use crate::linearizable::Furthest;

/// The least distance between two events and between two points of the order, and the greatest width of a letter, in pixels.
const STEP: usize = 46;
const POINT: usize = 34;
const LETTER: usize = 7;

/// The height of a row, and of a row with points of an order below its bar, in pixels.
const ROW: usize = 34;
const ROW_WITH_POINTS: usize = 50;
const BAR: usize = 24;
const LEFT: usize = 96;

/// The maximum width of a text for a terminal, in characters.
const TEXT_WIDTH: usize = 110;

/// Operations to draw.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<'a> {
    /// The operations, in order of invocation.
    pub operations: &'a [Operation<'a>],
    /// The invocation of the operation that cannot be linearized.
    pub failing: Option<EventIndex>,
    /// One of the furthest orders of some of them.
    pub order: Option<&'a Furthest>,
    /// Operations that may have taken effect at any time: they are drawn if the order contains them.
    pub others: &'a [Operation<'a>],
}

/// A point of the order.
struct Point<'a> {
    operation: &'a Operation<'a>,
    is_free: bool,
    state: &'a str,
    slot: usize,
    x: usize,
}

/// The horizontal positions of events.
struct Scale {
    moments: Vec<EventIndex>,
    starts: Vec<usize>,
}

impl Scale {
    fn slot(&self, event: EventIndex) -> usize {
        self.moments.binary_search(&event).unwrap_or_else(|at| at.saturating_sub(1))
    }

    fn x(&self, event: EventIndex) -> usize {
        self.starts.get(self.slot(event)).copied().unwrap_or(LEFT)
    }

    fn width(&self) -> usize {
        self.starts.last().copied().unwrap_or(LEFT) + 8
    }
}

impl Lanes<'_> {
    /// Draws the operations as SVG.
    pub fn svg(&self) -> String {
        let mut points = self.points();
        let scale = self.scale(&mut points);
        let processes = self.processes();
        let has_free = points.iter().any(|point| point.is_free);
        let row_height = if points.is_empty() { ROW } else { ROW_WITH_POINTS };
        let (width, height) = (scale.width(), (processes.len() + usize::from(has_free)) * row_height + 16);
        let top = |process: Process| processes.iter().position(|known| *known == process).unwrap_or(0) * row_height + 8;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {height}\" style=\"width:{width}px\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\" class=\"lanes\" font-family=\"sans-serif\" font-size=\"12\"><style>.lanes g:hover rect{{fill-opacity:.45}}</style>"
        );
        for process in &processes {
            lane(&mut svg, &format!("process {process}"), top(*process), width);
        }
        let free_top = processes.len() * row_height + 8;
        if has_free {
            lane(&mut svg, "at any time", free_top, width);
        }
        for operation in self.operations {
            self.bar(&mut svg, operation, top(operation.process), &scale, &points);
        }
        let at = |point: &Point<'_>| (point.x, if point.is_free { free_top } else { top(point.operation.process) } + BAR);
        self.path(&mut svg, &points, &at);
        if let Some(failing) = self.operations.iter().find(|operation| Some(operation.invoked) == self.failing) {
            let (x, y) = (failing.completed.map_or(width - 16, |end| scale.x(end)) - 6, top(failing.process) + BAR);
            if let Some((from_x, from_y)) = points.last().map(at) {
                let _ = write!(
                    svg,
                    "<line x1=\"{from_x}\" y1=\"{from_y}\" x2=\"{x}\" y2=\"{y}\" stroke=\"{VERMILION}\" stroke-width=\"1.5\" stroke-dasharray=\"3 3\"/>"
                );
            }
            let _ =
                write!(svg, "<text x=\"{x}\" y=\"{}\" fill=\"{VERMILION}\" font-weight=\"bold\" text-anchor=\"middle\">✗</text>", y + 5);
        }
        svg.push_str("</svg>");
        svg
    }

    /// Draws the operations as text for a terminal; none if that would be too wide.
    pub fn text(&self) -> Option<String> {
        let scale = self.scale(&mut []);
        let columns = scale.moments.len() + 1;
        let column = self.operations.iter().map(|operation| (label(operation).chars().count() + 4).div_ceil(self.slots(operation, &scale)));
        let column = column.max()?.max(4);
        if columns * column + 16 > TEXT_WIDTH {
            return None;
        }
        let mut text = String::new();
        for process in self.processes() {
            let mut row = vec![' '; columns * column];
            for operation in self.operations.iter().filter(|operation| operation.process == process) {
                let (from, length) = (scale.slot(operation.invoked) * column, self.slots(operation, &scale) * column);
                let ending = match operation.completed {
                    _ if Some(operation.invoked) == self.failing => '✗',
                    Some(_) if operation.kind != Kind::Info => '┤',
                    _ => '…',
                };
                let mut bar: Vec<char> = format!("├ {} ", label(operation)).chars().collect();
                bar.resize(length.max(bar.len() + 1), '─');
                if let Some(last) = bar.last_mut() {
                    *last = ending;
                }
                row.iter_mut().skip(from).zip(bar).for_each(|(cell, drawn)| *cell = drawn);
            }
            let row: String = row.into_iter().collect();
            let _ = writeln!(text, "{:<14}{}", format!("process {process}"), row.trim_end());
        }
        Some(text)
    }

    /// The number of events that an operation spans.
    fn slots(&self, operation: &Operation<'_>, scale: &Scale) -> usize {
        let from = scale.slot(operation.invoked);
        let to = operation.completed.filter(|_| operation.kind != Kind::Info).map_or(scale.moments.len() + 1, |end| scale.slot(end));
        to.saturating_sub(from).max(1)
    }

    fn processes(&self) -> Vec<Process> {
        let mut processes: Vec<Process> = self.operations.iter().map(|operation| operation.process).collect();
        processes.sort_unstable();
        processes.dedup();
        processes
    }

    /// The points of the order, each in the slot of the latest invocation up to it.
    fn points(&self) -> Vec<Point<'_>> {
        let moments = self.moments();
        let slot_of = |event: EventIndex| moments.binary_search(&event).ok();
        let mut reached = 0;
        let placed = self.order.iter().flat_map(|order| &order.order);
        placed
            .filter_map(|placed| {
                let find = |among: &'_ [Operation<'_>]| among.iter().position(|operation| operation.invoked == placed.operation);
                let (operation, is_free) = match find(self.operations) {
                    Some(at) => (&self.operations[at], false),
                    None => (&self.others[find(self.others)?], true),
                };
                if !is_free {
                    reached = reached.max(slot_of(operation.invoked)?);
                }
                Some(Point { operation, is_free, state: &placed.state, slot: reached, x: 0 })
            })
            .collect()
    }

    fn moments(&self) -> Vec<EventIndex> {
        let ends = self.operations.iter().flat_map(|operation| [Some(operation.invoked), operation.completed]);
        let mut moments: Vec<EventIndex> = ends.flatten().collect();
        moments.sort_unstable();
        moments
    }

    /// Positions the events so that every operation has room for its label and every point for its state; positions the points too.
    fn scale(&self, points: &mut [Point<'_>]) -> Scale {
        let moments = self.moments();
        let step = self.operations.iter().map(|operation| label(operation).chars().count() * LETTER + 12).max().unwrap_or(0).max(STEP);
        let wide = |slot: usize| {
            let within = points.iter().filter(|point| point.slot == slot);
            let needed: usize = within.map(|point| POINT.max(point.state.chars().count() * LETTER + 8)).sum();
            step.max(needed + 8)
        };
        let mut starts = vec![LEFT + 12];
        for slot in 0..moments.len() {
            starts.push(starts[slot] + wide(slot));
        }
        for slot in 0..moments.len() {
            let count = points.iter().filter(|point| point.slot == slot).count();
            let width = starts[slot + 1] - starts[slot];
            let within = points.iter_mut().filter(|point| point.slot == slot);
            within.enumerate().for_each(|(at, point)| point.x = starts[slot] + width * (2 * at + 1) / (2 * count));
        }
        Scale { moments, starts }
    }

    fn bar(&self, svg: &mut String, operation: &Operation<'_>, top: usize, scale: &Scale, points: &[Point<'_>]) {
        let from = scale.x(operation.invoked);
        let to = operation.completed.filter(|_| operation.kind != Kind::Info).map_or(scale.width() - 8, |end| scale.x(end));
        let color = match operation.kind {
            _ if Some(operation.invoked) == self.failing => VERMILION,
            Kind::Ok => BLUE,
            _ => GREY,
        };
        let dash = if operation.kind == Kind::Info { " stroke-dasharray=\"4 3\"" } else { "" };
        let place = points.iter().position(|point| point.operation.invoked == operation.invoked);
        let what = match place {
            Some(place) => format!("; number {} in the order, after which the state is {}", place + 1, points[place].state),
            None if Some(operation.invoked) == self.failing => "; it cannot be linearized".to_owned(),
            None => String::new(),
        };
        let end = operation.completed.map_or("never completed".to_owned(), |end| format!("completed at {end}"));
        let label = escape(&label(operation));
        let title = escape(&format!("process {}, invoked at {}, {end}{what}", operation.process, operation.invoked));
        let _ = write!(
            svg,
            "<g><title>{label}: {title}</title><rect x=\"{from}\" y=\"{top}\" width=\"{}\" height=\"{BAR}\" rx=\"4\" fill=\"{color}\" fill-opacity=\"0.18\" stroke=\"{color}\"{dash}/><text x=\"{}\" y=\"{}\" fill=\"currentColor\">{label}</text></g>",
            to.saturating_sub(from).max(8),
            from + 5,
            top + 16
        );
    }

    /// Draws the order: a line from point to point, with the state after each.
    fn path(&self, svg: &mut String, points: &[Point<'_>], at: &dyn Fn(&Point<'_>) -> (usize, usize)) {
        let corners: Vec<String> = points.iter().map(at).map(|(x, y)| format!("{x},{y}")).collect();
        let _ = write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" opacity=\"0.6\"/>",
            corners.join(" ")
        );
        for (number, point) in points.iter().enumerate() {
            let (x, y) = at(point);
            let what = escape(&label(point.operation));
            let state = escape(point.state);
            let name = if point.is_free {
                format!("<text x=\"{x}\" y=\"{}\" fill=\"{GREY}\" text-anchor=\"middle\">{what}</text>", y - 8)
            } else {
                String::new()
            };
            let _ = write!(
                svg,
                "<g><title>number {} in the order: {what}; then the state is {state}</title>{name}<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"currentColor\"/><text x=\"{x}\" y=\"{}\" fill=\"currentColor\" font-size=\"11\" font-style=\"italic\" text-anchor=\"middle\">{state}</text></g>",
                number + 1,
                y + 16
            );
        }
    }
}

fn lane(svg: &mut String, name: &str, top: usize, width: usize) {
    let middle = top + BAR / 2;
    let _ = write!(
        svg,
        "<text x=\"4\" y=\"{}\" fill=\"currentColor\">{name}</text><line x1=\"{LEFT}\" y1=\"{middle}\" x2=\"{width}\" y2=\"{middle}\" stroke=\"currentColor\" opacity=\"0.15\"/>",
        middle + 4
    );
}

#[cfg(test)]
mod tests {
    use elenchus_core::{Event, History, Nanos, Symbol, Value, Verdict};

    use super::*;
    use crate::linearizable::{self, LinearizableOptions};
    use crate::models::Register;

    fn stale() -> History {
        let event = |process, kind, f, value: Option<i64>| Event {
            time: Nanos::ZERO,
            process: Process::Client(process),
            kind,
            f: Symbol::of(f),
            key: None,
            value: value.map_or(Value::Nil, Value::Int),
            error: None,
            node: None,
        };
        History::new(vec![
            event(0, Kind::Invoke, "write", Some(1)),
            event(0, Kind::Ok, "write", Some(1)),
            event(1, Kind::Invoke, "write", Some(2)),
            event(0, Kind::Invoke, "write", Some(3)),
            event(0, Kind::Ok, "write", Some(3)),
            event(1, Kind::Ok, "write", Some(2)),
            event(2, Kind::Invoke, "read", None),
            event(2, Kind::Ok, "read", Some(1)),
        ])
    }

    #[test]
    fn the_order_is_drawn_within_the_bars() {
        let history = stale();
        let judgement = linearizable::check(&Register::default(), &history, &LinearizableOptions::default()).unwrap();
        assert_eq!(judgement.verdict, Verdict::Invalid);
        let failure = &judgement.failures[0];
        let all = history.operations().unwrap();
        let of = |invocations: &[EventIndex]| -> Vec<Operation<'_>> {
            all.iter().filter(|operation| invocations.contains(&operation.invoked)).copied().collect()
        };
        let (operations, others) = (of(&failure.operations), of(&failure.others));
        let lanes = Lanes { operations: &operations, failing: Some(failure.operation), order: failure.furthest.first(), others: &others };
        let mut points = lanes.points();
        assert!(!points.is_empty());
        let scale = lanes.scale(&mut points);
        assert!(points.windows(2).all(|pair| pair[0].x < pair[1].x), "from left to right");
        for point in points.iter().filter(|point| !point.is_free) {
            assert!(scale.x(point.operation.invoked) < point.x, "after the invocation");
            let end = point.operation.completed.filter(|_| point.operation.kind == Kind::Ok);
            assert!(end.is_none_or(|end| point.x < scale.x(end)), "before the completion");
        }
        let svg = lanes.svg();
        assert!(svg.contains("read → 1") && svg.contains('✗') && svg.contains("<polyline"));
        let text = lanes.text().expect("narrow enough");
        assert!(text.contains("├ read → 1 ") && text.contains('✗'), "{text}");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a & \"b\">"), "&lt;a &amp; &quot;b&quot;&gt;");
    }
}
