//! What a node's clocks show, against the control node's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use elenchus_control::Command;
use elenchus_control::system::Node;
use serde::{Deserialize, Serialize};

use crate::means::agent;

/// A node that takes longer is asked again the next time.
const PATIENCE: Duration = Duration::from_secs(5);

/// A second, in nanoseconds.
const SECOND_NS: i64 = 1_000_000_000;

/// How far a node's clocks were ahead of the control node's, in nanoseconds; negative where they were behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// The machine's clock.
    pub machine_ns: i64,
    /// What the process was shown whose clock is the furthest from right, where the nemesis has set any wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_ns: Option<i64>,
    /// How wrong this may be, either way: half of the time that asking took.
    pub within_ns: u64,
}

impl ClockReading {
    /// Asks a node. None where it does not answer in time.
    pub async fn of(node: &Node) -> Option<ClockReading> {
        let script = format!(": what time is it\ndate +%s%N\nif [ -x {0} ]; then {0} clock read; fi\n:\n", agent::path());
        let asked = SystemTime::now();
        let output = node.host.run_soon(Command::sh(&script).timeout(PATIENCE)).await.ok()?;
        let took = asked.elapsed().ok()?;
        let middle = i64::try_from((asked + took / 2).duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
        ClockReading::parse(&output.stdout_text(), middle, took / 2)
    }

    /// What a node printed, when it was this time here.
    fn parse(printed: &str, now_ns: i64, within: Duration) -> Option<ClockReading> {
        let mut lines = printed.lines();
        let shown = lines.next()?.split(|letter: char| !letter.is_ascii_digit()).next()?;
        let number: i64 = shown.parse().ok()?;
        // BusyBox knows whole seconds alone, which are half a second old in the mean.
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

    /// What the system was shown: its processes, where their clocks are set wrong, or else the machine.
    pub fn shown_ns(&self) -> i64 {
        self.process_ns.unwrap_or(self.machine_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_print_is_understood() {
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
