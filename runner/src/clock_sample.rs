//! Readings of the nodes' clocks, as `clocks.jsonl` keeps them.

use std::path::Path;

use elenchus_core::Nanos;
use elenchus_nemesis::ClockReading as Reading;
use serde::{Deserialize, Serialize};

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
