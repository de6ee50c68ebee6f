//! The lines that Jepsen logs for each operation: all that is left of many older histories.
//!
//! ```text
//! INFO  jepsen.util - 0 :invoke :read nil
//! 2018-02-21 12:53:01,345{GMT} INFO [jepsen worker 1] jepsen.util: 1 :info :write 3 :timed-out
//! ```
//!
//! A line has a process, a type, a function and a value in EDN, separated by tabs or spaces, and possibly an error, which extends to the end of the line.
//! The value `:timed-out` of a crashed operation is its error. Other log lines are ignored. The events have no times.

use super::edn::reader::Reader;
use super::event_builder::{EventBuilder, Names, at_position};
use super::event_parser::{EventParser, Scope};
use super::scanner::{Scan, Scanner};
use crate::{Event, Value};

/// The logger of Jepsen's operations.
const LOGGER: &[u8] = b"jepsen.util";

/// The prefix of Jepsen's loggers.
const LOGGERS: &[u8] = b"jepsen.";

/// Returns whether a line was logged by Jepsen.
pub(super) fn is_log_line(line: &[u8]) -> bool {
    memchr::memmem::find(line, LOGGERS).is_some()
}

/// Parses a log line by line.
pub(super) struct LogReader<'t> {
    edn: Reader<'t>,
    text: &'t str,
}

impl<'t> LogReader<'t> {
    pub(super) fn new(text: &'t str) -> LogReader<'t> {
        LogReader { edn: Reader::new(text), text }
    }

    /// Returns the position of an operation in the line from `start` to `end`, if there is one.
    fn operation(&self, start: usize, end: usize) -> Option<usize> {
        let line = &self.text.as_bytes()[start..end];
        let logger = memchr::memmem::find(line, LOGGER)? + LOGGER.len();
        let blank = |byte: u8| byte == b' ' || byte == b'\t';
        let marks = line[logger..].iter().take_while(|&&byte| blank(byte) || byte == b'-' || byte == b':').count();
        let operation = logger + marks.max(1);
        let said = line.get(operation..)?;
        // The colon of `:nemesis` may have been consumed as a separator.
        let process = said.iter().take_while(|&&byte| !blank(byte)).count();
        let is_process = said[..process].iter().all(u8::is_ascii_digit) || &said[..process] == b"nemesis";
        let next = said[process..].iter().find(|&&byte| !blank(byte));
        (process > 0 && is_process && next == Some(&b':')).then_some(start + operation)
    }

    fn event(&mut self, names: &mut Names) -> Scan<Event> {
        let mut builder = EventBuilder::default();
        let mut is_unknown = false;
        for field in ["process", "type", "f", "value"] {
            self.edn.skip()?;
            let at = self.edn.scanner.at;
            let datum = self.edn.value()?;
            match field {
                "type" => is_unknown = datum.as_text() == Some("info"),
                "value" if is_unknown && datum.as_text() == Some("timed-out") => {
                    set_field(&self.edn, at, &mut builder, "error", datum, names)?;
                    continue;
                }
                _ => {}
            }
            set_field(&self.edn, at, &mut builder, field, datum, names)?;
        }
        let error = self.edn.scanner.rest().trim();
        if !error.is_empty() {
            let at = self.edn.scanner.at;
            set_field(&self.edn, at, &mut builder, "error", Value::from(error), names)?;
        }
        let event = builder.finish(names, |missing| format!("this event has no {missing}"));
        at_position(&self.edn.scanner, self.edn.scanner.at, event)
    }
}

fn set_field(edn: &Reader<'_>, at: usize, builder: &mut EventBuilder, name: &str, datum: Value, names: &mut Names) -> Scan<()> {
    at_position(&edn.scanner, at, builder.set(name, datum, names))
}

impl<'t> EventParser<'t> for LogReader<'t> {
    fn scanner(&mut self) -> &mut Scanner<'t> {
        &mut self.edn.scanner
    }

    fn next_event(&mut self, _: &mut Scope, names: &mut Names) -> Scan<Option<Event>> {
        self.text = self.edn.scanner.text();
        let mut start = self.edn.scanner.at;
        while start < self.text.len() {
            let end = memchr::memchr(b'\n', &self.text.as_bytes()[start..]).map_or(self.text.len(), |length| start + length);
            if let Some(operation) = self.operation(start, end) {
                let (text, line) = (self.text, self.text.get(..end).unwrap_or_default());
                self.edn.scanner.enter(line, operation);
                self.edn.scanner.event_start = operation;
                let event = self.event(names)?;
                self.edn.scanner.enter(text, end);
                return Ok(Some(event));
            }
            start = end + 1;
        }
        self.edn.scanner.at = self.text.len();
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use crate::exchange::parse;
    use crate::{Kind, Process};

    const LOG: &str = "\
        INFO  jepsen.core - Running test\n\
        INFO  jepsen.util - 0\t:invoke\t:cas\t[1 2]\n\
        2018-02-21 12:53:01,345{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:read\tnil\n\
        INFO  jepsen.util - Retrying 3 :times\n\
        INFO  jepsen.util - 0   :info   :cas    :timed-out\n\
        2018-02-21 12:53:01,346{GMT}\tINFO\t[jepsen nemesis] jepsen.util: :nemesis\t:info\t:start\t\"Cut off {n1 #{n2}}\"\n\
        2018-02-21 12:53:01,347{GMT}\tWARN\t[jepsen worker 1] jepsen.core: something broke\n\
        java.lang.Exception: nothing\n\
        2018-02-21 12:53:01,348{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:fail\t:read\tnil\tjava.net.ConnectException: refused\n";

    #[test]
    fn operations_are_found_among_other_log_lines() {
        let events = parse(LOG.as_bytes()).unwrap().events;
        let shown: Vec<String> = events.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "0 invoke cas [1 2]",
                "1 invoke read nil",
                "0 info cas nil (timed-out)",
                "nemesis info start \"Cut off {n1 #{n2}}\"",
                "1 fail read nil (java.net.ConnectException: refused)",
            ]
        );
        assert_eq!((events[2].kind, events[3].process), (Kind::Info, Process::Nemesis));
    }

    #[test]
    fn errors_have_a_position() {
        let message = |text: &str| parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            message("INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:okay\t:read\tnil"),
            "2:23: unknown event type `okay`; expected :invoke, :ok, :fail or :info"
        );
        assert_eq!(message("INFO  jepsen.util - 0\t:ok\t:read\nINFO"), "1:32: the text ends where a datum was expected");
    }
}
