//! The clock of the whole machine: changed while an injection is active, then restored.
//!
//! While the clock is changed, the true time follows from the time since boot, which cannot be set: the true time of the boot is stored
//! before the clock is touched. So the restored clock needs no time server; it lacks only the drift of the oscillator since, unless NTP
//! corrects it.
//!
//! ```text
//! /run/elenchus/machine-clock/base  the true time of the boot, in nanoseconds since 1970
//! /run/elenchus/machine-clock/skew  the skew of the clock
//! ```
//!
//! Changes that continue, such as a rate, are made by setting the clock repeatedly: a reading is off by at most ten milliseconds plus the
//! keeper's scheduling delay.
//!
//! The control node's own clock must never be set: every command carries the boot identifier of the control node and is refused on that
//! machine.

#![allow(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::change::ClockChange;
use crate::processes::has_capability;
use crate::skew::{SECOND, Skew};
use crate::{Result, failed, state};

/// How often a clock with a rate, a strobe or a step is set.
const TICK: Duration = Duration::from_millis(10);

/// How often the keeper of a plain offset checks whether the injection is over.
const POLL: Duration = Duration::from_millis(500);

/// The tolerated error of a clock that was just set on a busy machine.
const SLACK: i64 = SECOND / 2;

/// The clock of a machine.
pub trait SystemClock {
    /// The time that the clock shows, in nanoseconds since 1970.
    fn shown(&self) -> Result<i64>;
    /// The time since boot, in nanoseconds.
    fn uptime(&self) -> Result<i64>;
    /// Sets the clock.
    fn set(&self, nanos: i64) -> Result<()>;
}

/// The clock of the machine that this runs on.
pub struct KernelClock {
    _guarded: (),
}

impl KernelClock {
    /// This machine's clock, unless the machine has this boot identifier or its clock cannot be set.
    ///
    /// # Errors
    /// Why the clock must not, or cannot, be set.
    pub fn except_on(boot_id: &str) -> Result<KernelClock> {
        let own = fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(failed("the boot identifier"))?;
        if boot_id.trim().is_empty() || own.trim() == boot_id.trim() {
            return Err("this node's clock is that of the control node, which is never set; say `of: processes`".into());
        }
        let map = fs::read_to_string("/proc/self/uid_map").map_err(failed("the user namespace"))?;
        if map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"] {
            return Err("this node is a container, which shares the clock of its host; say `of: processes`".into());
        }
        if !has_capability(CAP_SYS_TIME)? {
            return Err("setting the clock requires the capability CAP_SYS_TIME, which this user does not have here".into());
        }
        Ok(KernelClock { _guarded: () })
    }
}

/// `CAP_SYS_TIME`.
const CAP_SYS_TIME: u32 = 25;

impl SystemClock for KernelClock {
    fn shown(&self) -> Result<i64> {
        read(libc::CLOCK_REALTIME)
    }

    fn uptime(&self) -> Result<i64> {
        read(libc::CLOCK_BOOTTIME)
    }

    fn set(&self, nanos: i64) -> Result<()> {
        let time = libc::timespec { tv_sec: nanos.div_euclid(SECOND), tv_nsec: nanos.rem_euclid(SECOND) };
        // SAFETY: the call only reads this variable.
        match unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) } {
            0 => Ok(()),
            _ => Err(format!("setting the clock: {}", std::io::Error::last_os_error())),
        }
    }
}

fn read(clock: libc::clockid_t) -> Result<i64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes this variable.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => Ok(time.tv_sec.saturating_mul(SECOND).saturating_add(time.tv_nsec)),
        _ => Err(format!("reading a clock: {}", std::io::Error::last_os_error())),
    }
}

/// A machine's clock and the stored state of its injection.
pub struct MachineClock<C> {
    clock: C,
    folder: PathBuf,
}

impl<C: SystemClock> MachineClock<C> {
    /// With its state in a folder that does not survive a reboot.
    pub fn new(clock: C, folder: impl Into<PathBuf>) -> MachineClock<C> {
        MachineClock { clock, folder: folder.into() }
    }

    /// Changes the clock from now on.
    ///
    /// # Errors
    /// When the clock is changed already, or cannot be set.
    pub fn begin(&self, change: ClockChange) -> Result<()> {
        let _lock = state::lock(&self.folder)?;
        if self.stored("base")?.is_some() {
            return Err("this machine's clock is changed already".into());
        }
        let now = self.clock.shown()?;
        let base = now.saturating_sub(self.clock.uptime()?);
        // The data for restoring the clock is on disk before the clock is touched.
        state::write(&self.folder.join("skew"), &change.skew(now).line())?;
        state::write(&self.folder.join("base"), &base.to_string())?;
        self.apply().map(drop)
    }

    /// Sets the clock to the time that it should show now. False when the injection is over.
    ///
    /// # Errors
    /// When it cannot be set.
    pub fn tick(&self) -> Result<bool> {
        let _lock = state::lock(&self.folder)?;
        self.apply()
    }

    fn apply(&self) -> Result<bool> {
        let Some((base, skew)) = self.active()? else { return Ok(false) };
        let real = base.saturating_add(self.clock.uptime()?);
        self.clock.set(skew.shown(real).max(0))?;
        Ok(true)
    }

    /// Keeps the clock changed until the injection is over.
    ///
    /// # Errors
    /// When it cannot be set.
    pub fn keep(&self) -> Result<()> {
        while let Some(pause) = self.pause()? {
            std::thread::sleep(pause);
            if pause < POLL {
                self.tick()?;
            }
        }
        Ok(())
    }

    /// The time until the next [`MachineClock::tick`], or until the next check when the clock needs no ticks. None when the injection is
    /// over.
    fn pause(&self) -> Result<Option<Duration>> {
        let Some((_, skew)) = self.active()? else { return Ok(None) };
        let runs_freely = skew.gain == 0 && skew.period == 0 && skew.step == 0;
        let period = if skew.period > 0 { Duration::from_nanos(skew.period.unsigned_abs()) } else { TICK };
        Ok(Some(if runs_freely { POLL } else { period.min(TICK) }))
    }

    /// Fails unless the clock shows the time that it should.
    ///
    /// # Errors
    /// The shown and the expected time.
    pub fn verify(&self) -> Result<()> {
        let (base, skew) = self.active()?.ok_or("this machine's clock is not changed")?;
        let real = base.saturating_add(self.clock.uptime()?);
        let shown = self.clock.shown()?;
        let may = [real - SLACK, real, real + SLACK].iter().any(|&real| skew.may_show(shown, real - SLACK, real + SLACK));
        if may { Ok(()) } else { Err(format!("this machine's clock shows {shown} ns since 1970, expected {}", skew.shown(real))) }
    }

    /// Restores the clock, verifies it and deletes the stored state.
    ///
    /// # Errors
    /// When the clock cannot be set. The stored state is kept then.
    pub fn end(&self) -> Result<()> {
        let _lock = state::lock(&self.folder)?;
        // Without this file no keeper changes the clock again.
        state::remove(&self.folder.join("skew"))?;
        let Some(base) = self.stored("base")? else { return Ok(()) };
        let base: i64 = base.trim().parse().map_err(|_| format!("{}/base does not contain a time", self.folder.display()))?;
        self.clock.set(base.saturating_add(self.clock.uptime()?))?;
        let off = self.clock.shown()?.saturating_sub(base.saturating_add(self.clock.uptime()?));
        if off.abs() > SLACK {
            return Err(format!("this machine's clock is {off} ns ahead after it was restored; another program sets it too"));
        }
        state::remove(&self.folder.join("base"))
    }

    /// Fails unless the clock was restored.
    ///
    /// # Errors
    /// The clock was not restored.
    pub fn verify_ended(&self) -> Result<()> {
        match self.stored("base")? {
            None => Ok(()),
            Some(_) => Err("this machine's clock was not restored".into()),
        }
    }

    fn active(&self) -> Result<Option<(i64, Skew)>> {
        let (Some(base), Some(skew)) = (self.stored("base")?, self.stored("skew")?) else { return Ok(None) };
        let both = base.trim().parse().ok().zip(Skew::of_line(&skew));
        both.map(Some).ok_or_else(|| format!("{} contains malformed state", self.folder.display()))
    }

    fn stored(&self, name: &str) -> Result<Option<String>> {
        state::read(&self.folder.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A simulated machine that was booted an hour ago, in 2027.
    struct Model {
        ahead: Cell<i64>,
        uptime: Cell<i64>,
    }

    const STARTED: i64 = 1_800_000_000 * SECOND;

    impl SystemClock for &Model {
        fn shown(&self) -> Result<i64> {
            Ok(STARTED + self.uptime.get() + self.ahead.get())
        }
        fn uptime(&self) -> Result<i64> {
            Ok(self.uptime.get())
        }
        fn set(&self, nanos: i64) -> Result<()> {
            self.ahead.set(nanos - STARTED - self.uptime.get());
            Ok(())
        }
    }

    fn with_changed_clock(change: ClockChange, inspect: impl FnOnce(&Model, &MachineClock<&Model>)) {
        let (model, folder) = (Model { ahead: Cell::new(0), uptime: Cell::new(3600 * SECOND) }, tempfile::tempdir().unwrap());
        let clock = MachineClock::new(&model, folder.path().join("clock"));
        assert!(clock.verify().is_err());
        clock.begin(change).unwrap();
        assert!(clock.begin(change).is_err(), "it is changed already");
        inspect(&model, &clock);
        assert!(clock.verify_ended().is_err());
        clock.end().unwrap();
        clock.end().unwrap();
        clock.verify_ended().unwrap();
        assert_eq!((model.ahead.get(), clock.tick()), (0, Ok(false)), "it is not changed afterwards");
    }

    #[test]
    fn an_offset_needs_no_ticks() {
        with_changed_clock(ClockChange::Bump(-90 * SECOND), |model, clock| {
            assert_eq!((model.ahead.get(), clock.pause()), (-90 * SECOND, Ok(Some(POLL))));
            clock.verify().unwrap();
            model.uptime.set(4000 * SECOND);
            clock.verify().unwrap();
            model.ahead.set(0);
            assert!(clock.verify().is_err(), "another program set it");
        });
    }

    #[test]
    fn a_frozen_clock_is_set_on_every_tick() {
        with_changed_clock(ClockChange::Freeze, |model, clock| {
            assert_eq!(clock.pause(), Ok(Some(TICK)));
            model.uptime.set(3660 * SECOND);
            assert!(clock.verify().is_err(), "it was not set for a minute");
            assert_eq!(clock.tick(), Ok(true));
            assert_eq!(model.ahead.get(), -60 * SECOND);
            clock.verify().unwrap();
        });
    }

    #[test]
    fn the_control_nodes_clock_is_refused() {
        let own = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert!(KernelClock::except_on(&own).err().unwrap().contains("control node"));
        assert!(KernelClock::except_on("").is_err(), "the control node must be named");
    }
}
