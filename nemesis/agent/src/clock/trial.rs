//! Whether clocks can be changed on this node: tried on a child process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::process::{ClockState, Patcher, now};
use crate::change::ClockChange;
use crate::skew::SECOND;
use crate::{Result, failed};

/// The offset that the child's clock gets.
const AHEAD: i64 = 3600 * SECOND;

/// The tolerance: the child is asked over a pipe, on a machine that may be busy.
const SLACK: i64 = 600 * SECOND;

/// The child of a trial: prints the time, in nanoseconds since 1970, for each line that it reads.
pub fn trial_child() {
    for _ in std::io::stdin().lines() {
        println!("{}", now());
    }
}

/// Changes the clock of a child, verifies it and restores it. `command` must run [`trial_child`].
///
/// # Errors
/// Why clocks cannot be changed here.
pub fn trial(command: Command) -> Result<()> {
    let patcher = Patcher::new()?;
    let mut child = TrialChild::new(command)?;
    let pid = i32::try_from(child.process.id()).map_err(failed("the child's PID"))?;
    child.expect(0)?;
    patcher.patch(pid, &ClockChange::Bump(AHEAD).skew(now()), 0)?;
    child.expect(AHEAD)?;
    patcher.restore(pid)?;
    child.expect(0)?;
    match patcher.inspect(pid)? {
        Some(ClockState::Unpatched) => Ok(()),
        other => Err(format!("the clock of the trial's child was not restored: {other:?}")),
    }
}

/// The child, which is killed when this is dropped.
struct TrialChild {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl TrialChild {
    fn new(mut command: Command) -> Result<TrialChild> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed("starting the trial's child"))?;
        let output = process.stdout.take().ok_or("the trial's child has no output")?;
        Ok(TrialChild { process, output: BufReader::new(output) })
    }

    /// Fails unless the child's clock has this offset.
    fn expect(&mut self, ahead: i64) -> Result<()> {
        let mut line = String::new();
        let asked = self.process.stdin.as_mut().ok_or("the trial's child has no input").map(|input| input.write_all(b"\n"))?;
        asked.and_then(|()| self.output.read_line(&mut line)).map_err(failed("asking the trial's child for the time"))?;
        let shown: i64 = line.trim().parse().map_err(|_| format!("the trial's child printed `{}` instead of a time", line.trim()))?;
        let is = shown - now();
        if (is - ahead).abs() < SLACK { Ok(()) } else { Err(format!("the clock of the trial's child is {is} ns ahead, expected {ahead}")) }
    }
}

impl Drop for TrialChild {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
