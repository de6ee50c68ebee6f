//! The clock of the whole machine, set wrong as long as an injection lasts, and set right again.
//!
//! What time it truly is, is known meanwhile from the time since the machine started, which nobody can set: their difference is written down before the clock is
//! touched. So the clock is right again without asking anybody, but for what the machine's oscillator has drifted since, unless whoever disciplines it.
//!
//! ```text
//! /run/elenchus/machine-clock/base  the true time when the machine started, in nanoseconds since 1970
//! /run/elenchus/machine-clock/skew  how the clock is wrong
//! ```
//!
//! Changes that go on, as a drift, are made by setting the clock again and again: each reading is right to within ten milliseconds and what the keeper is late.
//!
//! Nothing here is ever to be done to the control node's own clock: every order that sets a clock is told the boot identifier of that machine, and refused there.

#![allow(unsafe_code)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::change::Change;
use crate::processes::has_capability;
use crate::skew::{SECOND, Skew};
use crate::{Result, failed, kept};

/// How often a clock is set that does not go on by itself.
const TICK: Duration = Duration::from_millis(10);

/// How often a keeper that has nothing to set looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(500);

/// By how much a clock may be off that was set a moment ago on a busy machine.
const SLACK: i64 = SECOND / 2;

/// A machine, as far as its clock matters.
pub trait Clockwork {
    /// What the clock shows, in nanoseconds since 1970.
    fn shown(&self) -> Result<i64>;
    /// How many nanoseconds ago the machine was started.
    fn uptime(&self) -> Result<i64>;
    /// Sets the clock.
    fn set(&self, nanos: i64) -> Result<()>;
}

/// The machine that this runs on.
pub struct Kernel {
    _guarded: (),
}

impl Kernel {
    /// This machine, unless it is the one with this boot identifier, or its clock is not ours to set.
    ///
    /// # Errors
    /// Why its clock is not to be set.
    pub fn unless(boot_id: &str) -> Result<Kernel> {
        let own = fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(failed("the boot identifier"))?;
        if boot_id.trim().is_empty() || own.trim() == boot_id.trim() {
            return Err("this node's clock is that of the control node, which is never set; say `of: processes`".into());
        }
        let map = fs::read_to_string("/proc/self/uid_map").map_err(failed("the user namespace"))?;
        if map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"] {
            return Err("this node is a container without a clock of its own; say `of: processes`".into());
        }
        if !has_capability(CAP_SYS_TIME)? {
            return Err("setting the clock takes the capability CAP_SYS_TIME, which is not given here".into());
        }
        Ok(Kernel { _guarded: () })
    }
}

/// The number of the capability to set clocks.
const CAP_SYS_TIME: u32 = 25;

impl Clockwork for Kernel {
    fn shown(&self) -> Result<i64> {
        read(libc::CLOCK_REALTIME)
    }

    fn uptime(&self) -> Result<i64> {
        read(libc::CLOCK_BOOTTIME)
    }

    fn set(&self, nanos: i64) -> Result<()> {
        let time = libc::timespec { tv_sec: nanos.div_euclid(SECOND), tv_nsec: nanos.rem_euclid(SECOND) };
        // SAFETY: the time is read from this variable.
        match unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) } {
            0 => Ok(()),
            _ => Err(format!("setting the clock: {}", std::io::Error::last_os_error())),
        }
    }
}

fn read(clock: libc::clockid_t) -> Result<i64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is written to this variable.
    match unsafe { libc::clock_gettime(clock, &raw mut time) } {
        0 => Ok(time.tv_sec.saturating_mul(SECOND).saturating_add(time.tv_nsec)),
        _ => Err(format!("reading a clock: {}", std::io::Error::last_os_error())),
    }
}

/// The clock of a machine and what is kept of it.
pub struct MachineClock<C> {
    clockwork: C,
    folder: PathBuf,
}

impl<C: Clockwork> MachineClock<C> {
    /// Kept in a folder, which is gone when the machine starts anew.
    pub fn new(clockwork: C, folder: impl Into<PathBuf>) -> MachineClock<C> {
        MachineClock { clockwork, folder: folder.into() }
    }

    /// Sets the clock wrong from now on.
    ///
    /// # Errors
    /// When it is wrong already, or cannot be set.
    pub fn begin(&self, change: Change) -> Result<()> {
        let _lock = kept::lock(&self.folder)?;
        if self.kept("base")?.is_some() {
            return Err("this machine's clock is wrong already".into());
        }
        let now = self.clockwork.shown()?;
        let base = now.saturating_sub(self.clockwork.uptime()?);
        // What is needed to set it right is on disk before it is touched.
        kept::write(&self.folder.join("skew"), &change.skew(now).line())?;
        kept::write(&self.folder.join("base"), &base.to_string())?;
        self.set_wrong().map(drop)
    }

    /// Sets the clock to what it is to show now. False when the injection is over.
    ///
    /// # Errors
    /// When it cannot be set.
    pub fn tick(&self) -> Result<bool> {
        let _lock = kept::lock(&self.folder)?;
        self.set_wrong()
    }

    fn set_wrong(&self) -> Result<bool> {
        let Some((base, skew)) = self.lasting()? else { return Ok(false) };
        let real = base.saturating_add(self.clockwork.uptime()?);
        self.clockwork.set(skew.shown(real).max(0))?;
        Ok(true)
    }

    /// Keeps the clock as wrong as it is to be until the injection is over.
    ///
    /// # Errors
    /// When it cannot be set.
    pub fn keep(&self) -> Result<()> {
        while let Some(pause) = self.pause()? {
            std::thread::sleep(pause);
            if pause < LOOK {
                self.tick()?;
            }
        }
        Ok(())
    }

    /// How long after one tick the next is due, or, when the clock goes on by itself, how often to look whether it is over. None when it is.
    fn pause(&self) -> Result<Option<Duration>> {
        let Some((_, skew)) = self.lasting()? else { return Ok(None) };
        let goes_on = skew.gain == 0 && skew.period == 0 && skew.step == 0;
        let period = if skew.period > 0 { Duration::from_nanos(skew.period.unsigned_abs()) } else { TICK };
        Ok(Some(if goes_on { LOOK } else { period.min(TICK) }))
    }

    /// Fails unless the clock shows what it is to show.
    ///
    /// # Errors
    /// What it shows.
    pub fn verify(&self) -> Result<()> {
        let (base, skew) = self.lasting()?.ok_or("this machine's clock is not set wrong")?;
        let real = base.saturating_add(self.clockwork.uptime()?);
        let shown = self.clockwork.shown()?;
        let may = [real - SLACK, real, real + SLACK].iter().any(|&real| skew.may_show(shown, real - SLACK, real + SLACK));
        if may { Ok(()) } else { Err(format!("this machine's clock shows {shown} ns since 1970, not {}", skew.shown(real))) }
    }

    /// Sets the clock right, sees that it is, and forgets what it was.
    ///
    /// # Errors
    /// When it cannot be set. Then what is needed for it is kept.
    pub fn end(&self) -> Result<()> {
        let _lock = kept::lock(&self.folder)?;
        // First nobody sets it wrong again.
        kept::remove(&self.folder.join("skew"))?;
        let Some(base) = self.kept("base")? else { return Ok(()) };
        let base: i64 = base.trim().parse().map_err(|_| format!("{}/base holds no time", self.folder.display()))?;
        self.clockwork.set(base.saturating_add(self.clockwork.uptime()?))?;
        let off = self.clockwork.shown()?.saturating_sub(base.saturating_add(self.clockwork.uptime()?));
        if off.abs() > SLACK {
            return Err(format!("this machine's clock is {off} ns ahead after it was set right; somebody else sets it too"));
        }
        kept::remove(&self.folder.join("base"))
    }

    /// Fails unless the clock was set right.
    ///
    /// # Errors
    /// That it was not.
    pub fn verify_ended(&self) -> Result<()> {
        match self.kept("base")? {
            None => Ok(()),
            Some(_) => Err("this machine's clock was not set right".into()),
        }
    }

    fn lasting(&self) -> Result<Option<(i64, Skew)>> {
        let (Some(base), Some(skew)) = (self.kept("base")?, self.kept("skew")?) else { return Ok(None) };
        let both = base.trim().parse().ok().zip(Skew::of_line(&skew));
        both.map(Some).ok_or_else(|| format!("{} does not hold what it should", self.folder.display()))
    }

    fn kept(&self, name: &str) -> Result<Option<String>> {
        kept::read(&self.folder.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A machine of its own, that was started an hour ago, in 2027.
    struct Model {
        ahead: Cell<i64>,
        uptime: Cell<i64>,
    }

    const STARTED: i64 = 1_800_000_000 * SECOND;

    impl Clockwork for &Model {
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

    fn with(change: Change, look: impl FnOnce(&Model, &MachineClock<&Model>)) {
        let (model, folder) = (Model { ahead: Cell::new(0), uptime: Cell::new(3600 * SECOND) }, tempfile::tempdir().unwrap());
        let clock = MachineClock::new(&model, folder.path().join("clock"));
        assert!(clock.verify().is_err());
        clock.begin(change).unwrap();
        assert!(clock.begin(change).is_err(), "it is wrong already");
        look(&model, &clock);
        assert!(clock.verify_ended().is_err());
        clock.end().unwrap();
        clock.end().unwrap();
        clock.verify_ended().unwrap();
        assert_eq!((model.ahead.get(), clock.tick()), (0, Ok(false)), "nobody sets it wrong afterwards");
    }

    #[test]
    fn a_clock_that_is_ahead_goes_on_by_itself() {
        with(Change::Bump(-90 * SECOND), |model, clock| {
            assert_eq!((model.ahead.get(), clock.pause()), (-90 * SECOND, Ok(Some(LOOK))));
            clock.verify().unwrap();
            model.uptime.set(4000 * SECOND);
            clock.verify().unwrap();
            model.ahead.set(0);
            assert!(clock.verify().is_err(), "somebody else set it");
        });
    }

    #[test]
    fn a_frozen_clock_is_set_again_and_again() {
        with(Change::Freeze, |model, clock| {
            assert_eq!(clock.pause(), Ok(Some(TICK)));
            model.uptime.set(3660 * SECOND);
            assert!(clock.verify().is_err(), "nobody has set it for a minute");
            assert_eq!(clock.tick(), Ok(true));
            assert_eq!(model.ahead.get(), -60 * SECOND);
            clock.verify().unwrap();
        });
    }

    #[test]
    fn the_machine_that_must_not_be_touched_is_not() {
        let own = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert!(Kernel::unless(&own).err().unwrap().contains("control node"));
        assert!(Kernel::unless("").is_err(), "who does not say which machine must not be touched may touch none");
    }
}
