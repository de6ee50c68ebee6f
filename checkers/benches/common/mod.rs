//! Code that the benchmarks share.

#![allow(dead_code, unreachable_pub)]

use std::time::Instant;

/// The arguments after `--`; cargo adds `--bench`.
pub fn arguments() -> Vec<String> {
    std::env::args().skip(1).filter(|argument| argument != "--bench" && argument != "--test").collect()
}

/// Whether the benchmark is only tried (`cargo test --benches`, or `--test`): it then does as little as it can.
pub fn is_trial() -> bool {
    !std::env::args().any(|argument| argument == "--bench") || std::env::args().any(|argument| argument == "--test")
}

/// A size: the one given, or the default, or a small one for a trial.
pub fn size(given: Option<&String>, default: u64) -> u64 {
    let given = given.map(|size| size.parse().unwrap_or_else(|error| panic!("`{size}`: {error}")));
    given.unwrap_or(if is_trial() { 1_000 } else { default })
}

/// Seconds of this thread's processor time, as Linux counts it, so that a busy machine does not matter; elsewhere, seconds since `began`.
pub fn thread_seconds(began: Instant) -> f64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedstat.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok());
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos as f64 / 1e9)
}
