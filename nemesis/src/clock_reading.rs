//! The offsets of nodes' clocks from the control node's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use elenchus_control::Command;
use elenchus_control::system::Node;
use serde::{Deserialize, Serialize};

use crate::means::agent;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A second, in nanoseconds.
const SECOND_NS: i64 = 1_000_000_000;

/// The offsets of a node's clocks from the control node's, in nanoseconds; negative when behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// The machine's clock.
    pub machine_ns: i64,
    /// The offset that the process with the largest error is shown, where the nemesis has changed the clocks of processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_ns: Option<i64>,
    /// The error bound, either way: half of the round trip.
    pub within_ns: u64,
}

impl ClockReading {
    /// Reads a node's clocks. Returns `None` if it does not answer in time.
    pub async fn of(node: &Node) -> Option<ClockReading> {
        let script = format!(": read the clocks\ndate +%s%N\nif [ -x {0} ]; then {0} clock read; fi\n:\n", agent::path());
        let asked = SystemTime::now();
        let output = node.host.run_within_timeout(Command::sh(&script).timeout(PATIENCE)).await.ok()?;
        let took = asked.elapsed().ok()?;
        let middle = i64::try_from((asked + took / 2).duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
        ClockReading::parse(&output.stdout_text(), middle, took / 2)
    }

    /// Parses what a node printed when the control node's clock showed `now_ns`.
    fn parse(printed: &str, now_ns: i64, within: Duration) -> Option<ClockReading> {
        let mut lines = printed.lines();
        let shown = lines.next()?.split(|letter: char| !letter.is_ascii_digit()).next()?;
        let number: i64 = shown.parse().ok()?;
        // BusyBox prints whole seconds, which are half a second old on average.
        let (machine_ns, within) = match shown.len() {
            0..=12 => (number.checked_mul(SECOND_NS)? + SECOND_NS / 2 - now_ns, within + Duration::from_nanos(SECOND_NS as u64 / 2)),
            _ => (number - now_ns, within),
        };
        let ahead = lines.filter_map(|line| line.split_once(' ')?.1.parse::<i64>().ok());
        Some(ClockReading {
            machine_ns,
            process_ns: ahead.max_by_key(|ahead| ahead.unsigned_abs()).map(|ahead| machine_ns.saturating_add(ahead)),
            within_ns: u64::try_from(within.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// The offset that the system sees: that of its processes, where their clocks were changed, else of the machine.
    pub fn shown_ns(&self) -> i64 {
        self.process_ns.unwrap_or(self.machine_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_nodes_is_parsed() {
        let of = |printed: &str| ClockReading::parse(printed, 1_000_000_000_000_000_000, Duration::from_micros(3));
        let right = ClockReading { machine_ns: 5, process_ns: None, within_ns: 3000 };
        assert_eq!(of("1000000000000000005\n"), Some(right));
        let wrong = of("1000000000000000005\n17 -30000000000\n18 200\n").unwrap();
        assert_eq!((wrong.machine_ns, wrong.process_ns, wrong.shown_ns()), (5, Some(-29_999_999_995), -29_999_999_995));
        assert_eq!(serde_json::from_str::<ClockReading>(&serde_json::to_string(&wrong).unwrap()).unwrap(), wrong);
        for coarse in ["1000000000N\n", "1000000000%N\n", "1000000000\n7 0\n"] {
            let coarse = of(coarse).unwrap();
            assert_eq!((coarse.machine_ns, coarse.within_ns), (500_000_000, 500_003_000));
        }
        assert_eq!(of("N\n"), None);
    }
}
