//! Waiting for a child as a parent should: forwarding signals to it, and burying what it leaves behind.

use std::io;
use std::process::{Child, Command};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// The exit status of a process that this signal killed, as shells give it.
const SIGNALLED: i32 = 128;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this exit status.
    Exited(i32),
    /// By this signal.
    Killed(Signal),
}

impl End {
    /// The exit status, as shells give it.
    pub(super) fn status(self) -> i32 {
        match self {
            End::Exited(status) => status,
            End::Killed(signal) => SIGNALLED + signal as i32,
        }
    }
}

/// What switches a node on that is off: its power button. Whoever is running does not mind it.
const BUTTON: Signal = Signal::SIGUSR1;

/// Signals that are taken one by one instead of interrupting.
pub(super) struct Signals(SigSet);

impl Signals {
    /// Blocks the signals that a parent must see. Children inherit the block: see [`Signals::spawn`] and [`Signals::unblock`].
    pub(super) fn block() -> io::Result<Signals> {
        let set = Signals::watched();
        set.thread_block()?;
        Ok(Signals(set))
    }

    /// The same for who has a power button.
    pub(super) fn block_with_button() -> io::Result<Signals> {
        let set = Signals::watched_with_button();
        set.thread_block()?;
        Ok(Signals(set))
    }

    /// Undoes in a child the block that its parent left to it, before any thread is started.
    pub(super) fn unblock() -> io::Result<()> {
        Ok(Signals::watched_with_button().thread_unblock()?)
    }

    fn watched() -> SigSet {
        [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect()
    }

    fn watched_with_button() -> SigSet {
        let mut set = Signals::watched();
        set.add(BUTTON);
        set
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
        self.attend_to_end(child).map(End::status)
    }

    /// As [`Signals::attend`], and tells how it ended.
    pub(super) fn attend_to_end(&self, child: &Child) -> io::Result<End> {
        self.attend_with(child, |signal| signal != BUTTON)
    }

    /// As [`Signals::attend`], for a child on the same terminal, which sends it what is typed there itself.
    pub(super) fn attend_beside(&self, child: &Child) -> io::Result<i32> {
        self.attend_with(child, |signal| !matches!(signal, Signal::SIGINT | Signal::SIGQUIT)).map(End::status)
    }

    fn attend_with(&self, child: &Child, passes: impl Fn(Signal) -> bool) -> io::Result<End> {
        let child = Pid::from_raw(child.id() as i32);
        loop {
            // Before the first wait, too: a child that ended while signals were not blocked has sent its own in vain.
            if let Some(end) = reap(child)? {
                return Ok(end);
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

    /// Waits until the button is pressed, or another signal asks this process to end, which is returned.
    pub(super) fn wait_for_button(&self) -> io::Result<Option<Signal>> {
        loop {
            match self.0.wait()? {
                BUTTON => return Ok(None),
                Signal::SIGCHLD => {}
                order => return Ok(Some(order)),
            }
        }
    }

    /// Waits until a signal asks this process to end.
    pub(super) fn wait_for_order(&self) -> io::Result<()> {
        while self.0.wait()? == Signal::SIGCHLD {}
        Ok(())
    }
}

/// Reaps all that ended; how the awaited one did, if it is among them.
fn reap(awaited: Pid) -> io::Result<Option<End>> {
    let mut found = None;
    loop {
        let (pid, end) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, status)) => (pid, End::Exited(status)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, End::Killed(signal)),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(found),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if pid == awaited {
            found = Some(end);
        }
    }
}
