//! `--events`: the events of a run as JSON lines.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::events::{Listener, TimedEvent};

/// Writes each event as a line of JSON.
pub(super) struct EventLog {
    sink: Box<dyn Write + Send>,
    is_broken: bool,
}

impl EventLog {
    /// Writes to a new file, or to standard output for `-`.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub(super) fn open(path: &Path) -> io::Result<EventLog> {
        let sink: Box<dyn Write + Send> = match path.to_str() {
            Some("-") => Box::new(io::stdout()),
            _ => {
                let file = File::create(path);
                Box::new(file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?)
            }
        };
        Ok(EventLog { sink, is_broken: false })
    }

    fn write(&mut self, line: &serde_json::Value) {
        if self.is_broken {
            return;
        }
        let written = writeln!(self.sink, "{line}").and_then(|()| self.sink.flush());
        if let Err(error) = written {
            self.is_broken = true;
            // A closed pipe means that the reader needs no more.
            if error.kind() != io::ErrorKind::BrokenPipe {
                tracing::warn!(%error, "the events of the run can no longer be written");
            }
        }
    }
}

impl Listener for EventLog {
    fn receive(&mut self, event: &TimedEvent) {
        self.write(&serde_json::to_value(event).unwrap_or_default());
    }

    fn missed(&mut self, count: u64) {
        self.write(&serde_json::json!({ "event": "missed", "count": count }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Events, Phase};

    #[test]
    fn every_event_is_a_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let events = Events::new();
        events.listen(EventLog::open(file.path()).unwrap()).unwrap();
        events.phase(Phase::DrivingClients);
        events.phase(Phase::Checking);
        events.close();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let phases: Vec<String> =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["phase"].to_string()).collect();
        assert_eq!(phases, ["\"driving_clients\"", "\"checking\""]);
    }
}
