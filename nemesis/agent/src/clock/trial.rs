//! Whether clocks can be set wrong on this node: tried on a child of this program's own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::process::{Clock, Ground, now};
use crate::change::Change;
use crate::skew::SECOND;
use crate::{Result, failed};

/// How far the child's clock is set ahead.
const AHEAD: i64 = 3600 * SECOND;

/// How exactly it is looked at: it is asked across a pipe, on a machine that may be busy.
const SLACK: i64 = 600 * SECOND;

/// Tells the time, in nanoseconds since 1970, for each line that is read: what the child of a trial does.
pub fn sit() {
    for _ in std::io::stdin().lines() {
        println!("{}", now());
    }
}

/// Sets the clock of a child wrong, sees that the child has a wrong clock, and puts it right. `child` is to [`sit`].
///
/// # Errors
/// Why clocks cannot be set wrong here.
pub fn trial(child: Command) -> Result<()> {
    let ground = Ground::new()?;
    let mut sitter = Sitter::new(child)?;
    let pid = i32::try_from(sitter.child.id()).map_err(failed("a child"))?;
    sitter.expect(0)?;
    ground.strike(pid, &Change::Bump(AHEAD).skew(now()), 0)?;
    sitter.expect(AHEAD)?;
    ground.heal(pid)?;
    sitter.expect(0)?;
    match ground.look(pid)? {
        Some(Clock::Whole) => Ok(()),
        other => Err(format!("a clock could not be put right: {other:?}")),
    }
}

/// The child, which ends with this.
struct Sitter {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Sitter {
    fn new(mut command: Command) -> Result<Sitter> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed("starting a child"))?;
        let said = child.stdout.take().ok_or("a child without an output")?;
        Ok(Sitter { child, said: BufReader::new(said) })
    }

    /// Fails unless its clock is so far ahead.
    fn expect(&mut self, ahead: i64) -> Result<()> {
        let mut line = String::new();
        let asked = self.child.stdin.as_mut().ok_or("a child without an input").map(|input| input.write_all(b"\n"))?;
        asked.and_then(|()| self.said.read_line(&mut line)).map_err(failed("asking a child for the time"))?;
        let shown: i64 = line.trim().parse().map_err(|_| format!("a child says it is `{}`", line.trim()))?;
        let is = shown - now();
        if (is - ahead).abs() < SLACK { Ok(()) } else { Err(format!("a child's clock is {is} ns ahead, not {ahead}")) }
    }
}

impl Drop for Sitter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
