//! A process of somebody else's, held still by ptrace: its memory is written, and a thread of it is made to do something.
//!
//! Whoever holds a process must live until it has let it go: a thread that is left in the middle of what it was made to do goes on from there. So signals are
//! blocked meanwhile, and who waits for a thread gives up after a while; the kernel lets go of all when the holder ends.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, pid_t};

use super::processor::{Registers, SYSTEM_CALL};
use crate::processes;
use crate::{Result, failed};

/// Threads stop at once, but for those that wait in the kernel for what cannot be interrupted.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many instructions a thread is led out of a piece of code at most.
const STEPS: u32 = 2000;

/// A process, all of its threads or one of them stopped, until this is dropped.
pub(super) struct Tracee {
    pid: pid_t,
    threads: Vec<Thread>,
    memory: File,
    _quiet: Quiet,
}

struct Thread {
    tid: pid_t,
    /// A signal that it was about to be given, and is given when it is let go.
    signal: c_int,
}

/// What a thread that was waited for did.
#[derive(PartialEq, Eq)]
enum Halt {
    /// It stopped as it was asked to.
    Asked,
    /// It came to the end of a step, or to a trap.
    Trap,
    /// It is about to be given a signal.
    Signal(c_int),
    /// It is no more.
    Ended,
}

impl Tracee {
    /// Stops all threads of a process. None when it has ended.
    ///
    /// # Errors
    /// When it may not be traced, is traced by somebody else, or a thread does not stop.
    pub(super) fn stop(pid: pid_t) -> Result<Option<Tracee>> {
        let Some(mut tracee) = Tracee::new(pid)? else { return Ok(None) };
        // A thread that is not yet stopped may make others.
        loop {
            let before = tracee.threads.len();
            for tid in processes::threads(pid) {
                if !tracee.threads.iter().any(|known| known.tid == tid) {
                    tracee.seize(tid)?;
                }
            }
            if tracee.threads.len() == before {
                return Ok((before > 0).then_some(tracee));
            }
        }
    }

    /// Stops one thread of a process. None when it has ended.
    ///
    /// # Errors
    /// As [`Tracee::stop`].
    pub(super) fn stop_one(pid: pid_t) -> Result<Option<Tracee>> {
        let Some(mut tracee) = Tracee::new(pid)? else { return Ok(None) };
        for tid in processes::threads(pid) {
            tracee.seize(tid)?;
            if !tracee.threads.is_empty() {
                return Ok(Some(tracee));
            }
        }
        Ok(None)
    }

    fn new(pid: pid_t) -> Result<Option<Tracee>> {
        match File::open(format!("/proc/{pid}/mem")) {
            Ok(memory) => Ok(Some(Tracee { pid, threads: Vec::new(), memory, _quiet: Quiet::new() })),
            Err(_) if processes::threads(pid).is_empty() => Ok(None),
            Err(error) => Err(format!("the memory of process {pid}: {error}")),
        }
    }

    fn seize(&mut self, tid: pid_t) -> Result<()> {
        match trace(libc::PTRACE_SEIZE, tid, 0, 0) {
            Ok(_) => {}
            Err(_) if !processes::threads(self.pid).contains(&tid) => return Ok(()),
            Err(error) => return Err(format!("process {} may not be traced, or is by somebody else: {error}", self.pid)),
        }
        if trace(libc::PTRACE_INTERRUPT, tid, 0, 0).is_err() {
            return Ok(());
        }
        // One that does not stop is ours too, and let go with the others.
        self.threads.push(Thread { tid, signal: 0 });
        match wait(tid)? {
            Halt::Ended => self.threads.retain(|thread| thread.tid != tid),
            Halt::Signal(signal) => self.keep(tid, signal),
            Halt::Asked | Halt::Trap => {}
        }
        Ok(())
    }

    /// Remembers a signal that a thread is given when it is let go.
    fn keep(&mut self, tid: pid_t, signal: c_int) {
        self.threads.iter_mut().filter(|thread| thread.tid == tid).for_each(|thread| thread.signal = signal);
    }

    /// Stops a thread again that did not come to a stop in time, as one of a frozen cgroup does not: it stops, but makes no step.
    fn halt(&mut self, tid: pid_t) -> Result<()> {
        trace(libc::PTRACE_INTERRUPT, tid, 0, 0).map_err(failed(format!("thread {tid} cannot be stopped")))?;
        if let Halt::Signal(signal) = wait(tid)? {
            self.keep(tid, signal);
        }
        Ok(())
    }

    /// Reads from its memory.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, at).map_err(failed(format!("reading {length} bytes of process {} at {at:#x}", self.pid)))?;
        Ok(bytes)
    }

    /// Writes to its memory, to what it could not write itself too.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let tid = self.first()?;
        // Whole words are written: at the ends with what is there.
        let (start, end) = (at & !7, (at + bytes.len() as u64).next_multiple_of(8));
        let mut words = self.read(start, (end - start) as usize)?;
        let from = (at - start) as usize;
        words[from..from + bytes.len()].copy_from_slice(bytes);
        for (index, word) in words.chunks_exact(8).enumerate() {
            let word = word.iter().rev().fold(0usize, |number, &byte| number << 8 | usize::from(byte));
            let place = start as usize + 8 * index;
            trace(libc::PTRACE_POKEDATA, tid, place, word).map_err(failed(format!("writing to process {} at {place:#x}", self.pid)))?;
        }
        let is = self.read(at, bytes.len())?;
        if is == bytes { Ok(()) } else { Err(format!("what was written to process {} at {at:#x} is not there", self.pid)) }
    }

    /// Has it make a system call, by an instruction of its own at `place`, and returns what that answered.
    pub(super) fn system_call(&mut self, place: u64, number: i64, arguments: [u64; 6]) -> Result<i64> {
        self.diverted(
            |saved| saved.calling(place, number, arguments),
            |tracee, tid| {
                tracee.step(tid)?;
                let after = Registers::of(tid)?;
                if after.at() == place + SYSTEM_CALL.len() as u64 { Ok(after.answer()) } else { Err("a system call went astray".into()) }
            },
        )
    }

    /// Has it run from `place`, where a function is called with these arguments, on this stack, until it stands at `end` by a trap instruction.
    pub(super) fn ask(&mut self, place: u64, end: u64, function: u64, arguments: [u64; 2], stack: u64) -> Result<()> {
        self.diverted(
            |saved| saved.asking(place, function, arguments, stack),
            |tracee, tid| {
                tracee.go_on(libc::PTRACE_CONT, tid)?;
                let at = Registers::of(tid)?.at();
                if at == end { Ok(()) } else { Err(format!("a question went astray to {at:#x}")) }
            },
        )
    }

    /// Leads every thread out of some code.
    pub(super) fn leave(&mut self, is_in: impl Fn(u64) -> bool) -> Result<()> {
        for tid in self.threads.iter().map(|thread| thread.tid).collect::<Vec<_>>() {
            let mut steps = 0;
            while is_in(Registers::of(tid)?.at()) {
                steps += 1;
                if steps > STEPS {
                    return Err(format!("thread {tid} does not come out of the code that is to be changed"));
                }
                with_signals_blocked(tid, || self.step(tid))?;
            }
        }
        Ok(())
    }

    /// Sets a thread's registers, has it do something, and puts them back.
    fn diverted<T>(&mut self, to: impl FnOnce(Registers) -> Registers, act: impl FnOnce(&mut Tracee, pid_t) -> Result<T>) -> Result<T> {
        let tid = self.first()?;
        let saved = Registers::of(tid)?;
        with_signals_blocked(tid, || {
            to(saved).put(tid)?;
            let done = act(self, tid);
            saved.put(tid)?;
            done
        })
    }

    fn step(&mut self, tid: pid_t) -> Result<()> {
        self.go_on(libc::PTRACE_SINGLESTEP, tid)
    }

    /// Lets a thread go on, until it traps. It is stopped afterwards even where that fails.
    fn go_on(&mut self, how: impl Into<i64> + Copy, tid: pid_t) -> Result<()> {
        loop {
            trace(how, tid, 0, 0).map_err(failed(format!("thread {tid} does not go on")))?;
            let halt = wait(tid).or_else(|why| self.halt(tid).and(Err(why)))?;
            match halt {
                Halt::Trap => return Ok(()),
                // It was asked to stop before, by us or by SIGSTOP: once more.
                Halt::Asked => {}
                Halt::Signal(signal) => {
                    if matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE) {
                        return Err(format!("thread {tid} failed with signal {signal} in what it was made to do"));
                    }
                    self.keep(tid, signal);
                }
                Halt::Ended => return Err(format!("thread {tid} has ended")),
            }
        }
    }

    fn first(&self) -> Result<pid_t> {
        self.threads.first().map(|thread| thread.tid).ok_or_else(|| format!("process {} has ended", self.pid))
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        for Thread { tid, signal } in std::mem::take(&mut self.threads) {
            let let_go = |signal: c_int| trace(libc::PTRACE_DETACH, tid, 0, signal as usize).is_ok();
            // Only what is stopped can be let go.
            if !let_go(signal) && self.halt(tid).is_ok() {
                let_go(signal);
            }
        }
    }
}

/// Makes a request of ptrace, whose kinds have another type in each library of C.
pub(super) fn trace(request: impl Into<i64>, tid: pid_t, at: usize, data: usize) -> std::io::Result<i64> {
    // SAFETY: of the requests made here, those that write to this process are given a place that holds what they write.
    match unsafe { libc::ptrace(request.into() as _, tid, at as *mut c_void, data as *mut c_void) } {
        -1 => Err(std::io::Error::last_os_error()),
        answer => Ok(answer),
    }
}

/// The kernel's set of signals: 64 bits.
const SIGNAL_SET: usize = 8;

/// Has a thread do something without being given signals.
fn with_signals_blocked<T>(tid: pid_t, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let (mut saved, all) = (0u64, u64::MAX);
    let what = || failed(format!("the signals of thread {tid}"));
    trace(libc::PTRACE_GETSIGMASK, tid, SIGNAL_SET, &raw mut saved as usize).map_err(what())?;
    trace(libc::PTRACE_SETSIGMASK, tid, SIGNAL_SET, &raw const all as usize).map_err(what())?;
    let done = act();
    trace(libc::PTRACE_SETSIGMASK, tid, SIGNAL_SET, &raw const saved as usize).map_err(what())?;
    done
}

/// Waits until a thread has stopped or ended.
fn wait(tid: pid_t) -> Result<Halt> {
    let began = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: the status is written to this variable.
        match unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG) } {
            0 if began.elapsed() > PATIENCE => {
                return Err(format!("thread {tid} does not stop: it is frozen, or waits for the disk or for a child"));
            }
            0 => std::thread::sleep(Duration::from_micros(50)),
            -1 => {
                let error = std::io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::ECHILD) => return Ok(Halt::Ended),
                    Some(libc::EINTR) => {}
                    _ => return Err(format!("waiting for thread {tid}: {error}")),
                }
            }
            _ if !libc::WIFSTOPPED(status) => return Ok(Halt::Ended),
            _ if status >> 16 == libc::PTRACE_EVENT_STOP => return Ok(Halt::Asked),
            _ if libc::WSTOPSIG(status) == libc::SIGTRAP => return Ok(Halt::Trap),
            _ => return Ok(Halt::Signal(libc::WSTOPSIG(status))),
        }
    }
}

/// No signal interrupts this thread until this is dropped, but those that nothing stops.
struct Quiet {
    before: libc::sigset_t,
}

impl Quiet {
    fn new() -> Quiet {
        // SAFETY: both sets are written before they are read.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
            Quiet { before }
        }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // SAFETY: the set is what `new` was given.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
