//! What is of one kind of processor: the code that runs inside a struck process in place of the vDSO's functions, jumps to it, and registers.
//!
//! The code asks the kernel for the true time by a system call, which costs some hundred nanoseconds where the vDSO takes some twenty, and answers what a
//! [`Skew`](crate::skew::Skew) shows, by the data that stand a page after its beginning. Clocks that do not tell the time of day are answered as they are. It is copied to another
//! process, so it names no address but relative ones, uses no register that a called function may not, and no stack of which a signal handler's or a Go routine's
//! would be too small.

#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::{JUMP, PAGE, REACH, Registers, SYSTEM_CALL, TOP, ask, jump, replacements, target};
#[cfg(target_arch = "x86_64")]
pub(super) use x86_64::{JUMP, PAGE, REACH, Registers, SYSTEM_CALL, TOP, ask, jump, replacements, target};

/// A function of the vDSO, and where the code in its place is, from the start of the code.
pub(super) struct Replacement {
    /// Its name in the vDSO.
    pub(super) symbol: &'static str,
    /// Where the code is.
    pub(super) at: usize,
}

unsafe extern "C" {
    static elenchus_clock_start: u8;
    static elenchus_clock_end: u8;
}

/// How far from the start of the code something in it is.
fn from_start(label: *const u8) -> usize {
    label as usize - &raw const elenchus_clock_start as usize
}

/// The code.
pub(super) fn code() -> &'static [u8] {
    let length = from_start(&raw const elenchus_clock_end);
    // SAFETY: both labels are of the section that a kind of processor has, the second after the first, and nothing writes to the program's text.
    unsafe { std::slice::from_raw_parts(&raw const elenchus_clock_start, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_fits_its_page() {
        // The smallest page there is.
        assert!(code().len() < 4096 && code().len() > 100);
        for replacement in replacements() {
            assert!(replacement.at < code().len());
        }
    }
}
