//! What the nodes' clocks showed during a run.

use std::path::Path;

use elenchus_core::Nanos;
use elenchus_nemesis::ClockReading as Reading;
use serde::{Deserialize, Serialize};

/// What one node's clocks showed at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The time of the history.
    pub time: Nanos,
    /// The node.
    pub node: String,
    /// How far its clocks were ahead.
    #[serde(flatten)]
    pub reading: Reading,
}

/// What was written down, in order of time; nothing where there is no such file. A last line that was cut off is left out.
pub fn read(path: &Path) -> Vec<Moment> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let reading = Reading { machine_ns: -3, process_ns: Some(60_000_000_000), within_ns: 400_000 };
        let moment = Moment { time: Nanos(5), node: "n1".into(), reading };
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = serde_json::to_string(&moment).unwrap();
        std::fs::write(file.path(), format!("{line}\n{}", &line[..20])).unwrap();
        assert_eq!(read(file.path()), [moment]);
        assert_eq!(read(Path::new("/nowhere/clocks.jsonl")), []);
    }
}
