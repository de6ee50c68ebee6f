//! One process and its clock: looked at, set wrong, asked, and put right.
//!
//! The first bytes of the vDSO's functions that tell the time of day become a jump to code of ours, mapped near. As Chaos Mesh's time chaos does; but the code
//! follows a rate and steps, all three functions are replaced, no thread is in the bytes that change, and what was there is known from this program's own vDSO,
//! so that any later process can put it back.

use std::time::{SystemTime, UNIX_EPOCH};

use super::payload;
use super::processor::{self, JUMP, PAGE, REACH, TOP, target};
use super::tracee::Tracee;
use super::vdso::{self, Span, Vdso};
use crate::skew::Skew;
use crate::{Result, failed, processes};

/// How much room is left to a heap or a stack to grow.
const GROWTH: u64 = 1 << 30;

/// What is known of every process of the node.
pub(super) struct Ground {
    vdso: Vdso,
    /// Of each function that tells the time: where it is in the vDSO, and where what replaces it is in our code.
    functions: Vec<(usize, usize)>,
    system_call: usize,
}

/// What a process' clock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// As the kernel made it.
    Whole,
    /// Set wrong by code of ours.
    Wrong {
        /// Where our code is.
        page: u64,
        /// What it shows.
        skew: Skew,
        /// Whose deed it is.
        owner: u64,
        /// Whether all of it is in place and by this version of the program.
        is_complete: bool,
    },
    /// Neither: the program is of another binary interface, as one of 32 bits, or somebody else has changed it.
    Foreign,
}

/// The present, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Ground {
    pub(super) fn new() -> Result<Ground> {
        let vdso = Vdso::own()?;
        let find = |one: &processor::Replacement| vdso.symbol(one.symbol).map(|at| (at, one.at)).ok_or(one.symbol);
        let functions: Vec<(usize, usize)> = processor::replacements()
            .iter()
            .map(find)
            .collect::<std::result::Result<_, _>>()
            .map_err(|name| format!("this kernel's vDSO has no {name}"))?;
        let system_call = vdso.system_call().ok_or("this kernel's vDSO makes no system call")?;
        Ok(Ground { vdso, functions, system_call })
    }

    /// Looks at a process' clock without stopping it. None when the process has ended or runs no program of its own.
    pub(super) fn look(&self, pid: i32) -> Result<Option<Clock>> {
        let looked = (|| {
            let Some(span) = vdso::find(&vdso::maps(pid)?) else { return Ok(None) };
            let memory = std::fs::File::open(format!("/proc/{pid}/mem")).map_err(failed(format!("the memory of process {pid}")))?;
            let read = |at: u64, length: usize| {
                let mut bytes = vec![0; length];
                std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, at)
                    .map_err(failed(format!("the memory of process {pid}")))?;
                Ok(bytes)
            };
            self.see(span, read).map(Some)
        })();
        match looked {
            // Whatever failed, failed because it ended meanwhile.
            Err(_) if processes::threads(pid).is_empty() => Ok(None),
            looked => looked,
        }
    }

    fn see(&self, span: Span, read: impl Fn(u64, usize) -> Result<Vec<u8>>) -> Result<Clock> {
        if span.end - span.start != self.vdso.image.len() as u64 {
            return Ok(Clock::Foreign);
        }
        let mut image = read(span.start, self.vdso.image.len())?;
        if image == self.vdso.image {
            return Ok(Clock::Whole);
        }
        let mut targets = Vec::new();
        for &(at, in_code) in &self.functions {
            let whole = &self.vdso.image[at..at + JUMP];
            if let Some(target) = target(span.start + at as u64, &image[at..at + JUMP]).filter(|_| &image[at..at + JUMP] != whole) {
                targets.push((target, in_code as u64));
                image[at..at + JUMP].copy_from_slice(whole);
            }
        }
        // Another version of this program may have put its functions elsewhere in the page.
        let page = targets.first().map_or(0, |(target, _)| target & !(PAGE as u64 - 1));
        let data = read(page + PAGE as u64, payload::DATA).unwrap_or_default();
        match payload::skew(&data) {
            Some((skew, owner)) if image == self.vdso.image => {
                let code = processor::code();
                let leads_to_ours = targets.iter().all(|(target, in_code)| *target == page + in_code);
                let is_complete = targets.len() == self.functions.len() && leads_to_ours && read(page, code.len())? == code;
                Ok(Clock::Wrong { page, skew, owner, is_complete })
            }
            _ => Ok(Clock::Foreign),
        }
    }

    /// Gives a process a wrong clock, by whoever. False when it has ended.
    ///
    /// # Errors
    /// When it cannot be traced, or is none whose clock we know. Then its clock is as it was.
    pub(super) fn strike(&self, pid: i32, skew: &Skew, owner: u64) -> Result<bool> {
        match self.look(pid)? {
            None => return Ok(false),
            Some(Clock::Wrong { skew: is, owner: by, is_complete: true, .. }) if (is, by) == (*skew, owner) => return Ok(true),
            Some(Clock::Foreign) => {
                return Err(format!("process {pid} is no program of this node's own kind: its clock cannot be set wrong"));
            }
            Some(_) => {}
        }
        let Some(mut tracee) = Tracee::stop(pid)? else { return Ok(false) };
        let maps = vdso::maps(pid)?;
        let Some(span) = vdso::find(&maps) else { return Ok(false) };
        if let Clock::Wrong { page, .. } = self.see(span, |at, length| tracee.read(at, length))? {
            self.restore(&mut tracee, span, page)?;
        }
        let page = match self.leftover(&tracee, &maps) {
            Some(page) => page,
            None => self.map(&mut tracee, span, &maps)?,
        };
        tracee.write(page + PAGE as u64, &payload::data(skew, owner))?;
        self.leave(&mut tracee, span, page)?;
        for &(at, in_code) in &self.functions {
            let from = span.start + at as u64;
            tracee.write(from, &processor::jump(from, page + in_code as u64))?;
        }
        Ok(true)
    }

    /// Puts a process' clock right again, byte for byte; our code stays mapped, as a signal handler may have interrupted it. False when it has ended.
    ///
    /// # Errors
    /// When it cannot be traced, or its clock is not right afterwards.
    pub(super) fn heal(&self, pid: i32) -> Result<bool> {
        match self.look(pid)? {
            None => return Ok(false),
            Some(Clock::Whole | Clock::Foreign) => return Ok(true),
            Some(Clock::Wrong { .. }) => {}
        }
        let Some(mut tracee) = Tracee::stop(pid)? else { return Ok(false) };
        let Some(span) = vdso::find(&vdso::maps(pid)?) else { return Ok(false) };
        if let Clock::Wrong { page, .. } = self.see(span, |at, length| tracee.read(at, length))? {
            self.restore(&mut tracee, span, page)?;
        }
        match self.see(span, |at, length| tracee.read(at, length))? {
            Clock::Whole => Ok(true),
            _ => Err(format!("the clock of process {pid} is not as the kernel made it")),
        }
    }

    /// Has a process tell the time, by the function that it would call itself. Returns what it says, and what time it was before and after; none when it
    /// has ended or its clock is not wrong.
    pub(super) fn ask(&self, pid: i32) -> Result<Option<(i64, i64, i64)>> {
        let Some(mut tracee) = Tracee::stop_one(pid)? else { return Ok(None) };
        let Some(span) = vdso::find(&vdso::maps(pid)?) else { return Ok(None) };
        let Clock::Wrong { page, .. } = self.see(span, |at, length| tracee.read(at, length))? else { return Ok(None) };
        let Some((function, _)) = self.functions.first() else { return Ok(None) };
        let (data, (place, end)) = (page + PAGE as u64, processor::ask());
        let (function, answer) = (span.start + *function as u64, data + payload::ANSWER as u64);
        let from = now();
        let (place, end) = (page + place as u64, page + end as u64);
        tracee.ask(place, end, function, [libc::CLOCK_REALTIME as u64, answer], data + payload::STACK as u64)?;
        let to = now();
        let said = tracee.read(answer, 16)?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
        let shown = number(&said[..8]).wrapping_mul(crate::skew::SECOND).wrapping_add(number(&said[8..]));
        Ok(Some((shown, from, to)))
    }

    /// Writes what the kernel had made over our jumps.
    fn restore(&self, tracee: &mut Tracee, span: Span, page: u64) -> Result<()> {
        self.leave(tracee, span, page)?;
        for &(at, _) in &self.functions {
            tracee.write(span.start + at as u64, &self.vdso.image[at..at + JUMP])?;
        }
        Ok(())
    }

    /// Leads all threads out of what is changed, and of our code.
    fn leave(&self, tracee: &mut Tracee, span: Span, page: u64) -> Result<()> {
        tracee.leave(|at| {
            let is_changed = |&(function, _): &(usize, usize)| {
                let start = span.start + function as u64;
                at > start && at < start + JUMP as u64
            };
            self.functions.iter().any(is_changed) || (at >= page && at < page + PAGE as u64)
        })
    }

    /// Our code of an earlier time, which nothing jumps to any more.
    fn leftover(&self, tracee: &Tracee, maps: &[(Span, String)]) -> Option<u64> {
        let code = processor::code();
        let candidates = maps.iter().filter(|(span, name)| name.is_empty() && span.end - span.start == PAGE as u64);
        candidates.map(|(span, _)| span.start).find(|&page| {
            tracee.read(page, code.len()).is_ok_and(|bytes| bytes == code)
                && tracee.read(page + PAGE as u64, payload::DATA).is_ok_and(|data| payload::skew(&data).is_some())
        })
    }

    /// Maps a page of our code and one of data in the process.
    fn map(&self, tracee: &mut Tracee, span: Span, maps: &[(Span, String)]) -> Result<u64> {
        let both = 2 * PAGE as u64;
        let place = near(span, both, maps).ok_or("there is no room for our code near its vDSO")?;
        let by = span.start + self.system_call as u64;
        let (read_write, read_execute) = ((libc::PROT_READ | libc::PROT_WRITE) as u64, (libc::PROT_READ | libc::PROT_EXEC) as u64);
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE) as u64;
        let mapped = tracee.system_call(by, libc::SYS_mmap, [place, both, read_write, flags, u64::MAX, 0])?;
        // Kernels before 4.17 know the flag only as a wish.
        if mapped as u64 != place {
            if mapped > 0 {
                tracee.system_call(by, libc::SYS_munmap, [mapped as u64, both, 0, 0, 0, 0])?;
            }
            return Err(format!("it was given no memory near its vDSO ({})", told(mapped)));
        }
        tracee.write(place, processor::code())?;
        let answer = tracee.system_call(by, libc::SYS_mprotect, [place, PAGE as u64, read_execute, 0, 0, 0])?;
        if answer != 0 {
            tracee.system_call(by, libc::SYS_munmap, [place, both, 0, 0, 0, 0])?;
            return Err(format!("it may not run code that was written into it ({})", told(answer)));
        }
        Ok(place)
    }
}

/// What a system call's answer says in words.
fn told(answer: i64) -> String {
    match i32::try_from(-answer) {
        Ok(error) if error > 0 => std::io::Error::from_raw_os_error(error).to_string(),
        _ => format!("{answer:#x}"),
    }
}

/// The free place of this size, where a page may begin, that is nearest to the vDSO, in reach of it. Where the heap or the stack would soon grow is no free place.
fn near(vdso: Span, size: u64, maps: &[(Span, String)]) -> Option<u64> {
    let (page, top) = (PAGE as u64, TOP.unwrap_or(maps.last()?.0.start));
    let below = maps.iter().map(|(span, name)| (span.end, name == "[heap]"));
    let above = maps.iter().skip(1).map(|(span, name)| (span.start.min(top), name == "[stack]")).chain([(top, false)]);
    let gaps = below.zip(above).filter_map(|((from, from_grows), (to, to_grows))| {
        let (from, to) = (from.next_multiple_of(page), to & !(page - 1));
        let room = size + if from_grows || to_grows { GROWTH } else { 0 };
        (to.saturating_sub(from) >= room).then(|| [(!from_grows).then_some(from), (!to_grows).then_some(to - size)])
    });
    let distance = |place: &u64| place.abs_diff(vdso.start);
    gaps.flatten().flatten().filter(|place| distance(place) < REACH).min_by_key(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_place_is_taken_where_nothing_grows() {
        let page = PAGE as u64;
        let map = |start: u64, end: u64, name: &str| (Span { start: start * page, end: end * page }, name.to_owned());
        let vdso = Span { start: 0x10_0000 * page, end: 0x10_0002 * page };
        let low = [
            map(0xf_0000, 0xf_fff0, "[heap]"),
            map(0x10_0000, 0x10_0002, "[vdso]"),
            map(0x10_0003, 0x10_0004, "x"),
            map(0x10_0009, 0x10_000a, "y"),
            map(0x10_0010, 0x10_0020, "[stack]"),
            map(0x20_0000, 0x20_0001, "z"),
        ];
        assert_eq!(near(vdso, 2 * page, &low), Some(0x10_0004 * page));
        assert_eq!(
            near(vdso, 6 * page, &low),
            Some(0x10_0020 * page),
            "below the stack and above the heap there would be room, but not to grow"
        );
        // Where no page begins, nothing is mapped.
        let uneven =
            [map(0xf_0000, 0xf_fff0, "[heap]"), (Span { start: vdso.start, end: vdso.end - 16 }, "[vdso]".to_owned()), low[5].clone()];
        assert_eq!(near(vdso, 2 * page, &uneven), Some(vdso.end));
        let wide = [map(1, 2, "[heap]"), map(0x10_0000, 0x10_0002, "[vdso]"), map(0x7000_0000, 0x7000_0010, "[stack]")];
        assert_eq!(near(vdso, 2 * page, &wide), Some(vdso.start - 2 * page));
        assert_eq!(near(vdso, 2 * page, &wide[1..]), Some(vdso.end));
        assert_eq!(near(vdso, 1 << 60, &wide), None);
    }
}
