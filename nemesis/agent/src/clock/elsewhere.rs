//! Processors for which the code that replaces the vDSO functions is not implemented.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::skew::Skew;

/// Unsupported.
pub(super) struct Patcher;

/// The state of a process' clock: never known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum ClockState {
    Unpatched,
    Patched { page: u64, skew: Skew, owner: u64, is_complete: bool },
    Foreign,
}

/// The true time, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

const WHY: &str = "the clocks of processes can be changed on x86-64 and AArch64 only, not on this machine's processor";

impl Patcher {
    pub(super) fn new() -> Result<Patcher> {
        Err(WHY.into())
    }

    pub(super) fn inspect(&self, _: i32) -> Result<Option<ClockState>> {
        Err(WHY.into())
    }

    pub(super) fn patch(&self, _: i32, _: &Skew, _: u64) -> Result<bool> {
        Err(WHY.into())
    }

    pub(super) fn restore(&self, _: i32) -> Result<bool> {
        Err(WHY.into())
    }

    pub(super) fn read_time(&self, _: i32) -> Result<Option<(i64, i64, i64)>> {
        Err(WHY.into())
    }
}
