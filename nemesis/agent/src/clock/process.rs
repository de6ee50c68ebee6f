//! The clock of one process: inspecting, patching, reading and restoring it.
//!
//! The first bytes of the vDSO functions that return the time of day are replaced by a jump to our code, which is mapped near the vDSO.
//! Chaos Mesh's TimeChaos works the same way. Here the code also implements rates and steps, all three functions are replaced, no thread
//! stands in the bytes that change, and the original bytes come from this program's own vDSO, so that any later process can restore them.

use std::time::{SystemTime, UNIX_EPOCH};

use super::payload;
use super::processor::{self, JUMP, PAGE, REACH, TOP, target};
use super::tracee::Tracee;
use super::vdso::{self, Span, Vdso};
use crate::skew::Skew;
use crate::{Result, failed, processes};

/// The room that is left for a heap or a stack to grow, in bytes.
const GROWTH: u64 = 1 << 30;

/// The parts of a patch that are the same for all processes of the node.
pub(super) struct Patcher {
    vdso: Vdso,
    /// For each function that returns the time: its offset in the vDSO, and the offset of its replacement in our code.
    functions: Vec<(usize, usize)>,
    system_call: usize,
}

/// The state of a process' clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockState {
    /// As the kernel made it.
    Unpatched,
    /// Patched by our code.
    Patched {
        /// The address of our code.
        page: u64,
        /// The clock that it shows.
        skew: Skew,
        /// The injections that it belongs to: see `Clocks::owner`.
        owner: u64,
        /// Whether every function is patched, by this version of the program.
        is_complete: bool,
    },
    /// Neither: a program of another ABI, such as a 32-bit one, or patched by another tool.
    Foreign,
}

/// The true time, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Patcher {
    pub(super) fn new() -> Result<Patcher> {
        let vdso = Vdso::own()?;
        let find = |one: &processor::Replacement| vdso.symbol(one.symbol).map(|at| (at, one.at)).ok_or(one.symbol);
        let functions: Vec<(usize, usize)> = processor::replacements()
            .iter()
            .map(find)
            .collect::<std::result::Result<_, _>>()
            .map_err(|name| format!("this kernel's vDSO has no {name}"))?;
        let system_call = vdso.system_call().ok_or("this kernel's vDSO contains no system call instruction")?;
        Ok(Patcher { vdso, functions, system_call })
    }

    /// Inspects a process' clock without stopping the process. None when it has exited, and for kernel threads.
    pub(super) fn inspect(&self, pid: i32) -> Result<Option<ClockState>> {
        let state = (|| {
            let Some(span) = vdso::find(&vdso::maps(pid)?) else { return Ok(None) };
            let memory = std::fs::File::open(format!("/proc/{pid}/mem")).map_err(failed(format!("the memory of process {pid}")))?;
            let read = |at: u64, length: usize| {
                let mut bytes = vec![0; length];
                std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, at)
                    .map_err(failed(format!("the memory of process {pid}")))?;
                Ok(bytes)
            };
            self.classify(span, read).map(Some)
        })();
        match state {
            // The failure is a consequence of the exit.
            Err(_) if processes::threads(pid).is_empty() => Ok(None),
            state => state,
        }
    }

    fn classify(&self, span: Span, read: impl Fn(u64, usize) -> Result<Vec<u8>>) -> Result<ClockState> {
        if span.end - span.start != self.vdso.image.len() as u64 {
            return Ok(ClockState::Foreign);
        }
        let mut image = read(span.start, self.vdso.image.len())?;
        if image == self.vdso.image {
            return Ok(ClockState::Unpatched);
        }
        let mut targets = Vec::new();
        for &(at, in_code) in &self.functions {
            let whole = &self.vdso.image[at..at + JUMP];
            if let Some(target) = target(span.start + at as u64, &image[at..at + JUMP]).filter(|_| &image[at..at + JUMP] != whole) {
                targets.push((target, in_code as u64));
                image[at..at + JUMP].copy_from_slice(whole);
            }
        }
        // Another version of this program may have other offsets in the page.
        let page = targets.first().map_or(0, |(target, _)| target & !(PAGE as u64 - 1));
        let data = read(page + PAGE as u64, payload::DATA).unwrap_or_default();
        match payload::skew(&data) {
            Some((skew, owner)) if image == self.vdso.image => {
                let code = processor::code();
                let leads_to_ours = targets.iter().all(|(target, in_code)| *target == page + in_code);
                let is_complete = targets.len() == self.functions.len() && leads_to_ours && read(page, code.len())? == code;
                Ok(ClockState::Patched { page, skew, owner, is_complete })
            }
            _ => Ok(ClockState::Foreign),
        }
    }

    /// Changes the clock of a process, whatever changed it before. False when the process has exited.
    ///
    /// # Errors
    /// When it cannot be traced, or its program is not supported. Its clock is then unchanged.
    pub(super) fn patch(&self, pid: i32, skew: &Skew, owner: u64) -> Result<bool> {
        match self.inspect(pid)? {
            None => return Ok(false),
            Some(ClockState::Patched { skew: is, owner: by, is_complete: true, .. }) if (is, by) == (*skew, owner) => return Ok(true),
            Some(ClockState::Foreign) => {
                return Err(format!("process {pid} has another vDSO than this node's (a 32-bit program?), so its clock cannot be changed"));
            }
            Some(_) => {}
        }
        let Some(mut tracee) = Tracee::stop(pid)? else { return Ok(false) };
        let maps = vdso::maps(pid)?;
        let Some(span) = vdso::find(&maps) else { return Ok(false) };
        if let ClockState::Patched { page, .. } = self.classify(span, |at, length| tracee.read(at, length))? {
            self.write_original(&mut tracee, span, page)?;
        }
        let page = match self.find_old_page(&tracee, &maps) {
            Some(page) => page,
            None => self.map_code(&mut tracee, span, &maps)?,
        };
        tracee.write(page + PAGE as u64, &payload::data(skew, owner))?;
        self.step_threads_out(&mut tracee, span, page)?;
        for &(at, in_code) in &self.functions {
            let from = span.start + at as u64;
            tracee.write(from, &processor::jump(from, page + in_code as u64))?;
        }
        Ok(true)
    }

    /// Restores the original bytes. Our code stays mapped, because a signal handler may have interrupted it. False when the process has
    /// exited.
    ///
    /// # Errors
    /// When it cannot be traced, or its clock is not restored afterwards.
    pub(super) fn restore(&self, pid: i32) -> Result<bool> {
        match self.inspect(pid)? {
            None => return Ok(false),
            Some(ClockState::Unpatched | ClockState::Foreign) => return Ok(true),
            Some(ClockState::Patched { .. }) => {}
        }
        let Some(mut tracee) = Tracee::stop(pid)? else { return Ok(false) };
        let Some(span) = vdso::find(&vdso::maps(pid)?) else { return Ok(false) };
        if let ClockState::Patched { page, .. } = self.classify(span, |at, length| tracee.read(at, length))? {
            self.write_original(&mut tracee, span, page)?;
        }
        match self.classify(span, |at, length| tracee.read(at, length))? {
            ClockState::Unpatched => Ok(true),
            _ => Err(format!("the clock of process {pid} was not restored")),
        }
    }

    /// Makes a process read the time through its own vDSO function. Returns the time that it shows and the true times before and after.
    /// None when it has exited or its clock is not changed.
    pub(super) fn read_time(&self, pid: i32) -> Result<Option<(i64, i64, i64)>> {
        let Some(mut tracee) = Tracee::stop_one(pid)? else { return Ok(None) };
        let Some(span) = vdso::find(&vdso::maps(pid)?) else { return Ok(None) };
        let ClockState::Patched { page, .. } = self.classify(span, |at, length| tracee.read(at, length))? else { return Ok(None) };
        let Some((function, _)) = self.functions.first() else { return Ok(None) };
        let (data, (place, end)) = (page + PAGE as u64, processor::call_stub());
        let (function, result) = (span.start + *function as u64, data + payload::RESULT as u64);
        let from = now();
        let (place, end) = (page + place as u64, page + end as u64);
        tracee.call(place, end, function, [libc::CLOCK_REALTIME as u64, result], data + payload::STACK as u64)?;
        let to = now();
        let time = tracee.read(result, 16)?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, i64::from_le_bytes);
        let shown = number(&time[..8]).wrapping_mul(crate::skew::SECOND).wrapping_add(number(&time[8..]));
        Ok(Some((shown, from, to)))
    }

    /// Writes the original bytes over our jumps.
    fn write_original(&self, tracee: &mut Tracee, span: Span, page: u64) -> Result<()> {
        self.step_threads_out(tracee, span, page)?;
        for &(at, _) in &self.functions {
            tracee.write(span.start + at as u64, &self.vdso.image[at..at + JUMP])?;
        }
        Ok(())
    }

    /// Steps all threads out of the bytes that change, and out of our code.
    fn step_threads_out(&self, tracee: &mut Tracee, span: Span, page: u64) -> Result<()> {
        tracee.step_out_of(|at| {
            let is_changed = |&(function, _): &(usize, usize)| {
                let start = span.start + function as u64;
                at > start && at < start + JUMP as u64
            };
            self.functions.iter().any(is_changed) || (at >= page && at < page + PAGE as u64)
        })
    }

    /// The page of an earlier patch that nothing jumps to any more.
    fn find_old_page(&self, tracee: &Tracee, maps: &[(Span, String)]) -> Option<u64> {
        let code = processor::code();
        let candidates = maps.iter().filter(|(span, name)| name.is_empty() && span.end - span.start == PAGE as u64);
        candidates.map(|(span, _)| span.start).find(|&page| {
            tracee.read(page, code.len()).is_ok_and(|bytes| bytes == code)
                && tracee.read(page + PAGE as u64, payload::DATA).is_ok_and(|data| payload::skew(&data).is_some())
        })
    }

    /// Maps a page of our code and a page of data in the process.
    fn map_code(&self, tracee: &mut Tracee, span: Span, maps: &[(Span, String)]) -> Result<u64> {
        let both = 2 * PAGE as u64;
        let place = nearest_free_range(span, both, maps).ok_or("there is no free address range for our code near its vDSO")?;
        let by = span.start + self.system_call as u64;
        let (read_write, read_execute) = ((libc::PROT_READ | libc::PROT_WRITE) as u64, (libc::PROT_READ | libc::PROT_EXEC) as u64);
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE) as u64;
        let mapped = tracee.system_call(by, libc::SYS_mmap, [place, both, read_write, flags, u64::MAX, 0])?;
        // Kernels before 4.17 treat the address as a hint.
        if mapped as u64 != place {
            if mapped > 0 {
                tracee.system_call(by, libc::SYS_munmap, [mapped as u64, both, 0, 0, 0, 0])?;
            }
            return Err(format!("mmap near its vDSO failed ({})", error_text(mapped)));
        }
        tracee.write(place, processor::code())?;
        let result = tracee.system_call(by, libc::SYS_mprotect, [place, PAGE as u64, read_execute, 0, 0, 0])?;
        if result != 0 {
            tracee.system_call(by, libc::SYS_munmap, [place, both, 0, 0, 0, 0])?;
            return Err(format!("it may not execute memory that was written to ({})", error_text(result)));
        }
        Ok(place)
    }
}

/// The error of a system call as text.
fn error_text(result: i64) -> String {
    match i32::try_from(-result) {
        Ok(error) if error > 0 => std::io::Error::from_raw_os_error(error).to_string(),
        _ => format!("{result:#x}"),
    }
}

/// The page-aligned free range of this size nearest to the vDSO and within reach of a jump. Avoids addresses into which the heap or the
/// stack will grow.
fn nearest_free_range(vdso: Span, size: u64, maps: &[(Span, String)]) -> Option<u64> {
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
    fn the_nearest_range_without_a_growing_neighbour_is_chosen() {
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
        assert_eq!(nearest_free_range(vdso, 2 * page, &low), Some(0x10_0004 * page));
        assert_eq!(
            nearest_free_range(vdso, 6 * page, &low),
            Some(0x10_0020 * page),
            "the gaps next to the stack and the heap are too small for them to grow"
        );
        // Ranges start at page boundaries.
        let uneven =
            [map(0xf_0000, 0xf_fff0, "[heap]"), (Span { start: vdso.start, end: vdso.end - 16 }, "[vdso]".to_owned()), low[5].clone()];
        assert_eq!(nearest_free_range(vdso, 2 * page, &uneven), Some(vdso.end));
        let wide = [map(1, 2, "[heap]"), map(0x10_0000, 0x10_0002, "[vdso]"), map(0x7000_0000, 0x7000_0010, "[stack]")];
        assert_eq!(nearest_free_range(vdso, 2 * page, &wide), Some(vdso.start - 2 * page));
        assert_eq!(nearest_free_range(vdso, 2 * page, &wide[1..]), Some(vdso.end));
        assert_eq!(nearest_free_range(vdso, 1 << 60, &wide), None);
    }
}
