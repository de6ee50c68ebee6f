//! The nodes' clocks, read throughout the run.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use elenchus_control::system::Node;
use elenchus_core::Nanos;
use elenchus_nemesis::ClockReading as Reading;
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::clocks::Moment;
use crate::store::StoreError;

/// How often every node is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reads every node's clocks until there is no more need, and writes down what they showed, a line of JSON each. `now` is the time of the history.
///
/// # Errors
/// When the file cannot be written.
pub(super) async fn keep_reading(
    nodes: &[Node],
    path: &Path,
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
            let line = serde_json::to_string(&Moment { time, node: node.clone(), reading }).unwrap_or_default();
            writeln!(file, "{line}").map_err(at)?;
        }
    }
}
