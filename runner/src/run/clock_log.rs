//! The nodes' clocks, sampled throughout a run and kept in `clocks.jsonl`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use elenchus_control::system::Node;
use elenchus_core::Nanos;
use elenchus_nemesis::ClockReading as Reading;
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::clock_sample::ClockSample;
use crate::events::{Events, RunEvent};
use crate::store::StoreError;

/// How often every node's clocks are read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Samples every node's clocks each second until `done`, and appends each sample to the file as a line of JSON. `now` is the time of the history.
///
/// # Errors
/// When the file cannot be written.
pub(super) async fn record(
    nodes: &[Node],
    path: &Path,
    events: &Events,
    now: &(dyn Fn() -> Nanos + Sync),
    mut done: watch::Receiver<bool>,
) -> Result<(), StoreError> {
    let at = |source| StoreError::Io { path: path.to_owned(), source };
    let mut file = std::fs::File::create(path).map_err(at)?;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = done.wait_for(|done| *done) => return Ok(()),
            _ = ticks.tick() => {}
        }
        let readings = join_all(nodes.iter().map(|node| async move { Some((&node.name, Reading::of(node).await?)) })).await;
        let time = now();
        for (node, reading) in readings.into_iter().flatten() {
            let sample = ClockSample { time, node: node.clone(), reading };
            writeln!(file, "{}", serde_json::to_string(&sample).unwrap_or_default()).map_err(at)?;
            events.emit(RunEvent::ClockRead(sample));
        }
    }
}
