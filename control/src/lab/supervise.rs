//! Waiting for a child as a parent should: forwarding signals to it, and burying what it leaves behind.

use std::io;
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The exit status of a process that this signal killed, as shells give it.
const SIGNALLED: i32 = 128;

/// Signals that are taken one by one instead of interrupting.
pub(super) struct Signals(SigSet);

impl Signals {
    /// Blocks the signals that a parent must see. Children inherit the block: see [`Signals::spawn`] and [`Signals::unblock`].
    pub(super) fn block() -> io::Result<Signals> {
        let set = Signals::watched();
        set.thread_block()?;
        Ok(Signals(set))
    }

    /// Undoes in a child the block that its parent left to it, before any thread is started.
    pub(super) fn unblock() -> io::Result<()> {
        Ok(Signals::watched().thread_unblock()?)
    }

    fn watched() -> SigSet {
        [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect()
    }

    /// Starts a program of others, which does not inherit the block. A signal in this moment does what it does by default: it ends this process.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        self.0.thread_unblock()?;
        let child = command.spawn();
        self.0.thread_block()?;
        child
    }

    /// Waits for the child to end and returns its exit status. Signals are passed on to it; other children, which a process 1 inherits, are reaped.
    pub(super) fn attend(&self, child: &Child) -> io::Result<i32> {
        self.attend_with(child, |_| true)
    }

    /// As [`Signals::attend`], for a child on the same terminal, which sends it what is typed there itself.
    pub(super) fn attend_beside(&self, child: &Child) -> io::Result<i32> {
        self.attend_with(child, |signal| !matches!(signal, Signal::SIGINT | Signal::SIGQUIT))
    }

    fn attend_with(&self, child: &Child, passes: impl Fn(Signal) -> bool) -> io::Result<i32> {
        let child = Pid::from_raw(child.id() as i32);
        loop {
            // Before the first wait, too: a child that ended while signals were not blocked has sent its own in vain.
            if let Some(status) = reap(child)? {
                return Ok(status);
            }
            match self.0.wait()? {
                Signal::SIGCHLD => {}
                signal if passes(signal) => match kill(child, signal) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => return Err(error.into()),
                },
                _ => {}
            }
        }
    }

    /// Waits until a signal asks this process to end.
    pub(super) fn wait_for_order(&self) -> io::Result<()> {
        while self.0.wait()? == Signal::SIGCHLD {}
        Ok(())
    }
}

/// Reaps all that ended; the awaited one's exit status, if it is among them.
fn reap(awaited: Pid) -> io::Result<Option<i32>> {
    let mut found = None;
    loop {
        let (pid, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, status),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, SIGNALLED + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(found),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if pid == awaited {
            found = Some(status);
        }
    }
}
