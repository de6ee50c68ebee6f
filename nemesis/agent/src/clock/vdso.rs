//! The vDSO: code that the kernel maps into every program, which reads the time without a system call.
//!
//! All processes of a node with the same ABI have the same vDSO. So this program's own, which is never patched, shows the original bytes of
//! any other.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::processor::SYSTEM_CALL;
use crate::{Result, failed};

/// An address range of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Every mapping of a process with its name, in ascending order.
pub(super) fn maps(pid: impl std::fmt::Display) -> Result<Vec<(Span, String)>> {
    let text = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(failed(format!("the maps of process {pid}")))?;
    let read = |line: &str| {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let address = |hex| u64::from_str_radix(hex, 16).ok();
        Some((Span { start: address(start)?, end: address(end)? }, fields.nth(4).unwrap_or_default().to_owned()))
    };
    Ok(text.lines().filter_map(read).collect())
}

/// The range of the vDSO, if it is mapped.
pub(super) fn find(maps: &[(Span, String)]) -> Option<Span> {
    maps.iter().find(|(_, name)| name == "[vdso]").map(|(span, _)| *span)
}

/// The original vDSO.
pub(super) struct Vdso {
    pub(super) image: Vec<u8>,
}

/// The type of the section of dynamic symbols.
const SHT_DYNSYM: u32 = 11;

impl Vdso {
    /// That of this program.
    pub(super) fn own() -> Result<Vdso> {
        let span = find(&maps("self")?).ok_or("this kernel maps no vDSO")?;
        let mut image = vec![0; usize::try_from(span.end - span.start).map_err(failed("the vDSO"))?];
        let memory = File::open("/proc/self/mem").map_err(failed("the memory of this process"))?;
        memory.read_exact_at(&mut image, span.start).map_err(failed("the vDSO of this process"))?;
        Ok(Vdso { image })
    }

    /// The offset of a function, if it exists.
    pub(super) fn symbol(&self, name: &str) -> Option<usize> {
        let count = usize::try_from(self.number::<2>(0x3c)?).ok()?;
        let mut tables = (0..count).filter_map(|index| self.section(index)).filter(|section| section.kind == SHT_DYNSYM);
        tables.find_map(|symbols| {
            let names = self.section(symbols.link)?.start;
            let end = symbols.start.checked_add(symbols.length)?.min(self.image.len());
            let mut entries = (symbols.start..end).step_by(24);
            let entry = entries.find(|&entry| self.name(entry, names) == Some(name.as_bytes()))?;
            usize::try_from(self.number::<8>(entry + 8)?).ok().filter(|&at| at > 0 && at < self.image.len())
        })
    }

    /// The offset of a system call instruction.
    pub(super) fn system_call(&self) -> Option<usize> {
        // Instructions of fixed length are aligned to it.
        let (length, step) = (SYSTEM_CALL.len(), if SYSTEM_CALL.len() == 4 { 4 } else { 1 });
        (0..self.image.len().saturating_sub(length)).step_by(step).find(|&at| self.image[at..at + length] == SYSTEM_CALL)
    }

    fn name(&self, entry: usize, names: usize) -> Option<&[u8]> {
        let start = names.checked_add(usize::try_from(self.number::<4>(entry)?).ok()?)?;
        self.image.get(start..)?.split(|&byte| byte == 0).next()
    }

    fn section(&self, index: usize) -> Option<Section> {
        let (headers, size) = (usize::try_from(self.number::<8>(0x28)?).ok()?, usize::try_from(self.number::<2>(0x3a)?).ok()?);
        let header = headers.checked_add(index.checked_mul(size)?).filter(|&header| header < self.image.len())?;
        Some(Section {
            kind: u32::try_from(self.number::<4>(header + 4)?).ok()?,
            start: usize::try_from(self.number::<8>(header + 24)?).ok()?,
            length: usize::try_from(self.number::<8>(header + 32)?).ok()?,
            link: usize::try_from(self.number::<4>(header + 40)?).ok()?,
        })
    }

    /// A little-endian number of `BYTES` bytes.
    fn number<const BYTES: usize>(&self, at: usize) -> Option<u64> {
        let bytes = self.image.get(at..at.checked_add(BYTES)?)?;
        Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }
}

/// The fields of an ELF section header that are used here.
struct Section {
    kind: u32,
    start: usize,
    length: usize,
    link: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_functions_are_found() {
        let vdso = Vdso::own().unwrap();
        let at: Vec<usize> = super::super::processor::replacements().iter().map(|one| vdso.symbol(one.symbol).unwrap()).collect();
        assert!(at.windows(2).all(|pair| pair[0] != pair[1]) && at.iter().all(|&at| at < vdso.image.len()));
        assert_eq!(vdso.symbol("__vdso_no_such"), None);
        assert!(vdso.system_call().is_some());
    }

    #[test]
    fn malformed_images_have_no_functions() {
        for image in [Vec::new(), vec![0; 64], vec![0xff; 4096]] {
            assert_eq!(Vdso { image }.symbol("__vdso_time"), None);
        }
    }
}
