//! Processors for which nobody has written the code that a struck process runs.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::skew::Skew;

/// Nothing is known here.
pub(super) struct Ground;

/// What a process' clock is: never known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum Clock {
    Whole,
    Wrong { page: u64, skew: Skew, owner: u64, is_complete: bool },
    Foreign,
}

/// The present, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

const WHY: &str = "clocks of processes can be set wrong on x86-64 and AArch64 only, and this machine's processor is another";

impl Ground {
    pub(super) fn new() -> Result<Ground> {
        Err(WHY.into())
    }

    pub(super) fn look(&self, _: i32) -> Result<Option<Clock>> {
        Err(WHY.into())
    }

    pub(super) fn strike(&self, _: i32, _: &Skew, _: u64) -> Result<bool> {
        Err(WHY.into())
    }

    pub(super) fn heal(&self, _: i32) -> Result<bool> {
        Err(WHY.into())
    }

    pub(super) fn ask(&self, _: i32) -> Result<Option<(i64, i64, i64)>> {
        Err(WHY.into())
    }
}
