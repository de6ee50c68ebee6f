//! The nodes' clocks, sampled throughout a run and kept in `clocks.jsonl`.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use elenchus_control::system::Node;
use elenchus_core::Nanos;
use elenchus_nemesis::ClockReading as Reading;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::events::{Events, RunEvent};
use crate::store::StoreError;

/// How often every node's clocks are read.
const INTERVAL: Duration = Duration::from_secs(1);

/// A reading of one node's clocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSample {
    /// Time since the history's zero.
    pub time: Nanos,
    /// The node.
    pub node: String,
    /// How far its clocks were ahead.
    #[serde(flatten)]
    pub reading: Reading,
}

/// Reads a run's clock samples, in order of time; none where the file does not exist. Lines that are not samples, such as a last line that was cut off,
/// are left out.
pub fn read_clock_log(path: &Path) -> Vec<ClockSample> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_back() {
        let reading = Reading { machine_ns: -3, process_ns: Some(60_000_000_000), within_ns: 400_000 };
        let sample = ClockSample { time: Nanos(5), node: "n1".into(), reading };
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = serde_json::to_string(&sample).unwrap();
        std::fs::write(file.path(), format!("{line}\n{}", &line[..20])).unwrap();
        assert_eq!(read_clock_log(file.path()), [sample]);
        assert_eq!(read_clock_log(Path::new("/nowhere/clocks.jsonl")), []);
    }
}
