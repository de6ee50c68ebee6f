//! A process stopped by ptrace: its memory is written, and its threads execute single calls.
//!
//! The tracer must not exit before it has released the process: a thread would continue from the diverted instruction. So signals are
//! blocked meanwhile and waits have a time-out. When the tracer exits, the kernel releases all tracees.

#![allow(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use libc::{c_int, c_void, pid_t};

use super::processor::{Registers, SYSTEM_CALL};
use crate::processes;
use crate::{Result, failed};

/// The time-out for a thread to stop. Threads stop at once unless they are in an uninterruptible wait.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The most instructions by which a thread is stepped out of a piece of code.
const STEPS: u32 = 2000;

/// A process with all threads, or one thread, stopped until this is dropped.
pub(super) struct Tracee {
    pid: pid_t,
    threads: Vec<Thread>,
    memory: File,
    _signals: SignalsBlocked,
}

struct Thread {
    tid: pid_t,
    /// A signal that is delivered when the thread is released.
    signal: c_int,
}

/// Why a traced thread stopped.
#[derive(PartialEq, Eq)]
enum Stop {
    /// PTRACE_INTERRUPT or a group stop.
    Requested,
    /// The end of a single step, or a trap instruction.
    Trap,
    /// A signal is about to be delivered.
    Signal(c_int),
    /// The thread has exited.
    Exited,
}

impl Tracee {
    /// Stops all threads of a process. None when it has exited.
    ///
    /// # Errors
    /// When it may not be traced, another process traces it, or a thread does not stop.
    pub(super) fn stop(pid: pid_t) -> Result<Option<Tracee>> {
        let Some(mut tracee) = Tracee::new(pid)? else { return Ok(None) };
        // Threads that still run can create others.
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

    /// Stops one thread of a process. None when it has exited.
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
            Ok(memory) => Ok(Some(Tracee { pid, threads: Vec::new(), memory, _signals: SignalsBlocked::new() })),
            Err(_) if processes::threads(pid).is_empty() => Ok(None),
            Err(error) => Err(format!("the memory of process {pid}: {error}")),
        }
    }

    fn seize(&mut self, tid: pid_t) -> Result<()> {
        match ptrace(libc::PTRACE_SEIZE, tid, 0, 0) {
            Ok(_) => {}
            Err(_) if !processes::threads(self.pid).contains(&tid) => return Ok(()),
            Err(error) => return Err(format!("process {} may not be traced, or another process traces it: {error}", self.pid)),
        }
        if ptrace(libc::PTRACE_INTERRUPT, tid, 0, 0).is_err() {
            return Ok(());
        }
        // A thread that does not stop is traced too, and must be released with the others.
        self.threads.push(Thread { tid, signal: 0 });
        match wait(tid)? {
            Stop::Exited => self.threads.retain(|thread| thread.tid != tid),
            Stop::Signal(signal) => self.defer_signal(tid, signal),
            Stop::Requested | Stop::Trap => {}
        }
        Ok(())
    }

    /// Stores a signal that is delivered when the thread is released.
    fn defer_signal(&mut self, tid: pid_t, signal: c_int) {
        self.threads.iter_mut().filter(|thread| thread.tid == tid).for_each(|thread| thread.signal = signal);
    }

    /// Interrupts a thread that did not stop in time. A thread of a frozen cgroup stops but executes nothing.
    fn interrupt(&mut self, tid: pid_t) -> Result<()> {
        ptrace(libc::PTRACE_INTERRUPT, tid, 0, 0).map_err(failed(format!("thread {tid} cannot be interrupted")))?;
        if let Stop::Signal(signal) = wait(tid)? {
            self.defer_signal(tid, signal);
        }
        Ok(())
    }

    /// Reads from the process' memory.
    pub(super) fn read(&self, at: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, at).map_err(failed(format!("reading {length} bytes of process {} at {at:#x}", self.pid)))?;
        Ok(bytes)
    }

    /// Writes to the process' memory, read-only pages included.
    pub(super) fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let tid = self.any_thread()?;
        // POKEDATA writes whole words; the ends keep the bytes that are there.
        let (start, end) = (at & !7, (at + bytes.len() as u64).next_multiple_of(8));
        let mut words = self.read(start, (end - start) as usize)?;
        let from = (at - start) as usize;
        words[from..from + bytes.len()].copy_from_slice(bytes);
        for (index, word) in words.chunks_exact(8).enumerate() {
            let word = word.iter().rev().fold(0usize, |number, &byte| number << 8 | usize::from(byte));
            let place = start as usize + 8 * index;
            ptrace(libc::PTRACE_POKEDATA, tid, place, word).map_err(failed(format!("writing to process {} at {place:#x}", self.pid)))?;
        }
        let is = self.read(at, bytes.len())?;
        if is == bytes { Ok(()) } else { Err(format!("bytes written to process {} at {at:#x} do not read back", self.pid)) }
    }

    /// Makes the process execute a system call by an instruction at `place`, and returns the result.
    pub(super) fn system_call(&mut self, place: u64, number: i64, arguments: [u64; 6]) -> Result<i64> {
        self.with_registers(
            |saved| saved.for_system_call(place, number, arguments),
            |tracee, tid| {
                tracee.step(tid)?;
                let after = Registers::read(tid)?;
                if after.instruction() == place + SYSTEM_CALL.len() as u64 {
                    Ok(after.result())
                } else {
                    Err("a system call did not return to the expected address".into())
                }
            },
        )
    }

    /// Makes the process run from `place`, the stub that calls `function` on this stack, until the trap instruction before `end`.
    pub(super) fn call(&mut self, place: u64, end: u64, function: u64, arguments: [u64; 2], stack: u64) -> Result<()> {
        self.with_registers(
            |saved| saved.for_call(place, function, arguments, stack),
            |tracee, tid| {
                tracee.resume(libc::PTRACE_CONT, tid)?;
                let at = Registers::read(tid)?.instruction();
                if at == end { Ok(()) } else { Err(format!("a call stopped at the unexpected address {at:#x}")) }
            },
        )
    }

    /// Steps every thread out of some code.
    pub(super) fn step_out_of(&mut self, is_in: impl Fn(u64) -> bool) -> Result<()> {
        for tid in self.threads.iter().map(|thread| thread.tid).collect::<Vec<_>>() {
            let mut steps = 0;
            while is_in(Registers::read(tid)?.instruction()) {
                steps += 1;
                if steps > STEPS {
                    return Err(format!("thread {tid} does not leave the code that is to be patched"));
                }
                with_signals_blocked(tid, || self.step(tid))?;
            }
        }
        Ok(())
    }

    /// Runs `act` with other registers, then restores them.
    fn with_registers<T>(
        &mut self,
        to: impl FnOnce(Registers) -> Registers,
        act: impl FnOnce(&mut Tracee, pid_t) -> Result<T>,
    ) -> Result<T> {
        let tid = self.any_thread()?;
        let saved = Registers::read(tid)?;
        with_signals_blocked(tid, || {
            to(saved).write(tid)?;
            let done = act(self, tid);
            saved.write(tid)?;
            done
        })
    }

    fn step(&mut self, tid: pid_t) -> Result<()> {
        self.resume(libc::PTRACE_SINGLESTEP, tid)
    }

    /// Resumes a thread until it traps. It is stopped afterwards even on failure.
    fn resume(&mut self, how: impl Into<i64> + Copy, tid: pid_t) -> Result<()> {
        loop {
            ptrace(how, tid, 0, 0).map_err(failed(format!("thread {tid} cannot be resumed")))?;
            let stop = wait(tid).or_else(|why| self.interrupt(tid).and(Err(why)))?;
            match stop {
                Stop::Trap => return Ok(()),
                // An interrupt or group stop from before: resume again.
                Stop::Requested => {}
                Stop::Signal(signal) => {
                    if matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE) {
                        return Err(format!("thread {tid} was diverted and received signal {signal}"));
                    }
                    self.defer_signal(tid, signal);
                }
                Stop::Exited => return Err(format!("thread {tid} has exited")),
            }
        }
    }

    fn any_thread(&self) -> Result<pid_t> {
        self.threads.first().map(|thread| thread.tid).ok_or_else(|| format!("process {} has exited", self.pid))
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        for Thread { tid, signal } in std::mem::take(&mut self.threads) {
            let detach = |signal: c_int| ptrace(libc::PTRACE_DETACH, tid, 0, signal as usize).is_ok();
            // Only a stopped thread can be detached.
            if !detach(signal) && self.interrupt(tid).is_ok() {
                detach(signal);
            }
        }
    }
}

/// Makes a ptrace request. Its type differs between C libraries.
pub(super) fn ptrace(request: impl Into<i64>, tid: pid_t, at: usize, data: usize) -> std::io::Result<i64> {
    // SAFETY: requests that write to this process get a pointer to a variable that holds what they write.
    match unsafe { libc::ptrace(request.into() as _, tid, at as *mut c_void, data as *mut c_void) } {
        -1 => Err(std::io::Error::last_os_error()),
        answer => Ok(answer),
    }
}

/// The length of the kernel's signal set, in bytes.
const SIGNAL_SET: usize = 8;

/// Runs `act` while a thread receives no signals.
fn with_signals_blocked<T>(tid: pid_t, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let (mut saved, all) = (0u64, u64::MAX);
    let what = || failed(format!("the signals of thread {tid}"));
    ptrace(libc::PTRACE_GETSIGMASK, tid, SIGNAL_SET, &raw mut saved as usize).map_err(what())?;
    ptrace(libc::PTRACE_SETSIGMASK, tid, SIGNAL_SET, &raw const all as usize).map_err(what())?;
    let done = act();
    ptrace(libc::PTRACE_SETSIGMASK, tid, SIGNAL_SET, &raw const saved as usize).map_err(what())?;
    done
}

/// Waits until a thread has stopped or exited.
fn wait(tid: pid_t) -> Result<Stop> {
    let began = Instant::now();
    loop {
        let mut status = 0;
        // SAFETY: the call only writes this variable.
        match unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG) } {
            0 if began.elapsed() > TIMEOUT => {
                return Err(format!("thread {tid} does not stop: it is in a frozen cgroup or in an uninterruptible wait"));
            }
            0 => std::thread::sleep(Duration::from_micros(50)),
            -1 => {
                let error = std::io::Error::last_os_error();
                match error.raw_os_error() {
                    Some(libc::ECHILD) => return Ok(Stop::Exited),
                    Some(libc::EINTR) => {}
                    _ => return Err(format!("waiting for thread {tid}: {error}")),
                }
            }
            _ if !libc::WIFSTOPPED(status) => return Ok(Stop::Exited),
            _ if status >> 16 == libc::PTRACE_EVENT_STOP => return Ok(Stop::Requested),
            _ if libc::WSTOPSIG(status) == libc::SIGTRAP => return Ok(Stop::Trap),
            _ => return Ok(Stop::Signal(libc::WSTOPSIG(status))),
        }
    }
}

/// Blocks the signals of this thread until it is dropped.
struct SignalsBlocked {
    before: libc::sigset_t,
}

impl SignalsBlocked {
    fn new() -> SignalsBlocked {
        // SAFETY: both sets are written before they are read.
        unsafe {
            let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before);
            SignalsBlocked { before }
        }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set was written in `new`.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut());
        }
    }
}
