//! The code that depends on the processor architecture: the code that replaces the vDSO functions in a patched process, the jumps to it, and registers.
//!
//! The code reads the true time by a system call (some hundred nanoseconds; the vDSO takes some twenty) and applies the
//! [`Skew`](crate::skew::Skew) in the data one page after its start. Clocks other than those of the time of day are returned unchanged.
//! Since it is copied into other processes it is position-independent, uses caller-saved registers only, and little enough stack for signal
//! handlers and goroutines.

#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{JUMP, PAGE, REACH, Registers, SYSTEM_CALL, TOP, call_stub, jump, replacements, target};
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{JUMP, PAGE, REACH, Registers, SYSTEM_CALL, TOP, call_stub, jump, replacements, target};

/// A function of the vDSO, and the offset of its replacement in the code.
pub(super) struct Replacement {
    /// Its symbol in the vDSO.
    pub(super) symbol: &'static str,
    /// The offset of the replacement.
    pub(super) at: usize,
}

unsafe extern "C" {
    static elenchus_clock_start: u8;
    static elenchus_clock_end: u8;
}

/// The offset of a label in the code.
fn from_start(label: *const u8) -> usize {
    label as usize - &raw const elenchus_clock_start as usize
}

/// The code.
pub(super) fn code() -> &'static [u8] {
    let length = from_start(&raw const elenchus_clock_end);
    // SAFETY: both labels are in the same section, the second after the first, and the program's text is never written.
    unsafe { std::slice::from_raw_parts(&raw const elenchus_clock_start, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_fits_into_a_page() {
        // The smallest page size.
        assert!(code().len() < 4096 && code().len() > 100);
        for replacement in replacements() {
            assert!(replacement.at < code().len());
        }
    }
}
