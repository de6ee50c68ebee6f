//! Signals of a supervising process: it forwards them to its child and reaps all its children.

use std::io;
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The exit status that shells report for a process killed by signal 0, to which the signal's number is added.
const SIGNALLED: i32 = 128;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildEnd {
    /// It exited with this status.
    Exited(i32),
    /// A signal killed it.
    Killed(Signal),
}

impl ChildEnd {
    /// The exit status as shells report it.
    pub(super) fn status(self) -> i32 {
        match self {
            ChildEnd::Exited(status) => status,
            ChildEnd::Killed(signal) => SIGNALLED + signal as i32,
        }
    }
}

/// The signal that powers a node on. A running node ignores it.
const POWER_BUTTON: Signal = Signal::SIGUSR1;

/// Blocked signals, which are received one at a time by `sigwait`.
pub(super) struct Signals(SigSet);

impl Signals {
    /// Blocks the signals that a parent handles. Children inherit the block: see [`Signals::spawn`] and [`Signals::unblock`].
    pub(super) fn block() -> io::Result<Signals> {
        let set = Signals::watched();
        set.thread_block()?;
        Ok(Signals(set))
    }

    /// Blocks the same signals and that of the power button.
    pub(super) fn block_with_power_button() -> io::Result<Signals> {
        let set = Signals::watched_with_power_button();
        set.thread_block()?;
        Ok(Signals(set))
    }

    /// Removes in a child the block inherited from its parent, before any thread is started.
    pub(super) fn unblock() -> io::Result<()> {
        Ok(Signals::watched_with_power_button().thread_unblock()?)
    }

    fn watched() -> SigSet {
        [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect()
    }

    fn watched_with_power_button() -> SigSet {
        let mut set = Signals::watched();
        set.add(POWER_BUTTON);
        set
    }

    /// Starts another program, which does not inherit the block. A signal received meanwhile has its default action: it ends this process.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        self.0.thread_unblock()?;
        let child = command.spawn();
        self.0.thread_block()?;
        child
    }

    /// Waits for the child to end and returns its exit status. Forwards signals to it, and reaps the orphans that a process 1 inherits.
    pub(super) fn wait_for_status(&self, child: &Child) -> io::Result<i32> {
        self.wait_for_end(child).map(ChildEnd::status)
    }

    /// As [`Signals::wait_for_status`], and distinguishes an exit from a kill.
    pub(super) fn wait_for_end(&self, child: &Child) -> io::Result<ChildEnd> {
        self.wait_forwarding(child, |signal| signal != POWER_BUTTON)
    }

    /// As [`Signals::wait_for_status`], for a child on the same terminal: the terminal itself sends it SIGINT and SIGQUIT.
    pub(super) fn wait_on_terminal(&self, child: &Child) -> io::Result<i32> {
        self.wait_forwarding(child, |signal| !matches!(signal, Signal::SIGINT | Signal::SIGQUIT)).map(ChildEnd::status)
    }

    fn wait_forwarding(&self, child: &Child, forwards: impl Fn(Signal) -> bool) -> io::Result<ChildEnd> {
        let child = Pid::from_raw(child.id() as i32);
        loop {
            // Before the first wait too: SIGCHLD is lost when the child ended while signals were not blocked.
            if let Some(end) = reap(child)? {
                return Ok(end);
            }
            match self.0.wait()? {
                Signal::SIGCHLD => {}
                signal if forwards(signal) => match kill(child, signal) {
                    Ok(()) | Err(Errno::ESRCH) => {}
                    Err(error) => return Err(error.into()),
                },
                _ => {}
            }
        }
    }

    /// Waits until the power button is pressed, or another signal requests the end of this process; returns the latter.
    pub(super) fn wait_for_power_button(&self) -> io::Result<Option<Signal>> {
        loop {
            match self.0.wait()? {
                POWER_BUTTON => return Ok(None),
                Signal::SIGCHLD => {}
                request => return Ok(Some(request)),
            }
        }
    }

    /// Waits until a signal requests the end of this process.
    pub(super) fn wait_for_termination(&self) -> io::Result<()> {
        while self.0.wait()? == Signal::SIGCHLD {}
        Ok(())
    }
}

/// Reaps all children that have ended. Returns how the awaited one ended, if it is among them.
fn reap(awaited: Pid) -> io::Result<Option<ChildEnd>> {
    let mut found = None;
    loop {
        let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, ChildEnd::Exited(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, ChildEnd::Killed(signal)),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(found),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if pid == awaited {
            found = Some(end);
        }
    }
}
