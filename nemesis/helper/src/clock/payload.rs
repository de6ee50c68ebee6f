//! The code that runs inside a struck process in place of the vDSO's functions, and the page of data next to it.
//!
//! It asks the kernel for the true time by a system call, which costs some hundred nanoseconds where the vDSO takes some twenty, and answers what a [`Skew`]
//! shows. Clocks that do not tell the time of day are answered as they are. It is copied to another process, so it names no address but relative ones, uses no
//! register that a called function may not, and no stack of which a signal handler's or a Go routine's would be too small.

#![allow(unsafe_code)]

use std::arch::global_asm;

use crate::skew::{Skew, WORDS};

/// The size of a page: the code is in one, the data in the next.
pub(super) const PAGE: usize = 4096;

/// Starts the data. Who heals knows by it whom to heal, even from another version of this program.
const MAGIC: u64 = u64::from_le_bytes(*b"elenchus");

/// Where, from the start of the data, an asked clock writes its answer.
pub(super) const ANSWER: usize = 1024;

/// Where the stack of the question begins, downwards.
pub(super) const STACK: usize = PAGE - 256;

// `DATA` is the page after the code: the magic, which clocks are wrong as bits, the words of a `Skew`, and the owner.
global_asm!(
    r#"
.pushsection .text.elenchus_clock, "ax", @progbits
# The compiler may make several objects of this crate, which all know these, and nobody else does.
.irp name, elenchus_clock_start, elenchus_gettimeofday, elenchus_time, elenchus_ask, elenchus_clock_end
.globl \name
.hidden \name
.endr
.balign 4096
elenchus_clock_start:
elenchus_clock_gettime:                 # which clock: edi; where to: rsi
    mov eax, 228                        # SYS_clock_gettime
    syscall
    test rax, rax
    jnz 9f
    cmp edi, 63
    ja 9f
    mov edi, edi
    mov rdx, [rip + elenchus_clock_start + 4096 + 8]
    bt rdx, rdi
    jnc 9f
    imul rcx, qword ptr [rsi], 1000000000
    add rcx, [rsi + 8]                  # rcx: the true time
    mov r9, rcx
    sub r9, [rip + elenchus_clock_start + 4096 + 16]    # since
    mov rax, r9
    imul qword ptr [rip + elenchus_clock_start + 4096 + 32]    # gain
    shrd rax, rdx, 32
    mov r8, rcx
    add r8, rax
    add r8, [rip + elenchus_clock_start + 4096 + 24]    # ahead; r8: what is shown
    mov r10, [rip + elenchus_clock_start + 4096 + 40]   # period
    test r10, r10
    jle 2f
    test r9, r9
    js 2f
    mov rax, r9
    xor edx, edx
    div r10
    test al, 1
    jz 2f
    add r8, [rip + elenchus_clock_start + 4096 + 48]    # swing
2:  cmp rcx, [rip + elenchus_clock_start + 4096 + 56]   # step_at
    jl 3f
    add r8, [rip + elenchus_clock_start + 4096 + 64]    # step
3:  mov rax, r8
    cqo
    mov rcx, 1000000000
    idiv rcx
    test rdx, rdx
    jns 4f
    add rdx, rcx
    dec rax
4:  mov [rsi], rax
    mov [rsi + 8], rdx
    xor eax, eax
9:  ret
.balign 16
elenchus_gettimeofday:                  # where to: rdi; where the time zone: rsi
    test rsi, rsi
    jz 1f
    mov eax, 96                         # SYS_gettimeofday, for the time zone
    syscall
    test rax, rax
    jnz 9f
1:  test rdi, rdi
    jz 8f
    push rdi
    sub rsp, 16
    xor edi, edi
    mov rsi, rsp
    call elenchus_clock_gettime
    mov r8, [rsp]
    mov rax, [rsp + 8]
    xor edx, edx
    mov ecx, 1000
    div rcx
    add rsp, 16
    pop rdi
    mov [rdi], r8
    mov [rdi + 8], rax
8:  xor eax, eax
9:  ret
.balign 16
elenchus_time:                          # where to: rdi
    push rdi
    sub rsp, 16
    xor edi, edi
    mov rsi, rsp
    call elenchus_clock_gettime
    mov rax, [rsp]
    add rsp, 16
    pop rdi
    test rdi, rdi
    jz 9f
    mov [rdi], rax
9:  ret
.balign 16
elenchus_ask:                           # a function: rax; its arguments as ever
    call rax
    int3
elenchus_clock_end:
    nop
.popsection
"#
);

unsafe extern "C" {
    static elenchus_clock_start: u8;
    static elenchus_gettimeofday: u8;
    static elenchus_time: u8;
    static elenchus_ask: u8;
    static elenchus_clock_end: u8;
}

/// A function of the vDSO, and where the code in its place is, from the start of the code.
pub(super) struct Replacement {
    /// Its name in the vDSO.
    pub(super) symbol: &'static str,
    /// Where the code is.
    pub(super) at: usize,
}

/// Every function that tells the time of day, `clock_gettime` first.
pub(super) fn replacements() -> [Replacement; 3] {
    [
        Replacement { symbol: "__vdso_clock_gettime", at: 0 },
        Replacement { symbol: "__vdso_gettimeofday", at: from_start(&raw const elenchus_gettimeofday) },
        Replacement { symbol: "__vdso_time", at: from_start(&raw const elenchus_time) },
    ]
}

/// Where the code is that calls a function and then traps, from the start of the code.
pub(super) fn ask() -> usize {
    from_start(&raw const elenchus_ask)
}

fn from_start(label: *const u8) -> usize {
    label as usize - &raw const elenchus_clock_start as usize
}

/// The code.
pub(super) fn code() -> &'static [u8] {
    let length = from_start(&raw const elenchus_clock_end);
    // SAFETY: both labels are of the section above, the second after the first, and nothing writes to the program's text.
    unsafe { std::slice::from_raw_parts(&raw const elenchus_clock_start, length) }
}

/// The clocks that tell the time of day: the real-time clock, its coarse twin, that of alarms, and that of atomic time, as bits.
const CLOCKS: u64 = 1 << libc::CLOCK_REALTIME | 1 << libc::CLOCK_REALTIME_COARSE | 1 << libc::CLOCK_REALTIME_ALARM | 1 << libc::CLOCK_TAI;

/// How many bytes of the data say something.
pub(super) const DATA: usize = 16 + 8 * WORDS + 8;

/// The data of a clock, and whose deed it is.
pub(super) fn data(skew: &Skew, owner: u64) -> Vec<u8> {
    let words = skew.words().map(i64::to_le_bytes);
    [MAGIC.to_le_bytes(), CLOCKS.to_le_bytes()].into_iter().chain(words).chain([owner.to_le_bytes()]).flatten().collect()
}

/// The clock of some data, and whose deed it is, if it is such data.
pub(super) fn skew(data: &[u8]) -> Option<(Skew, u64)> {
    let words: Vec<[u8; 8]> = data.chunks_exact(8).filter_map(|word| word.try_into().ok()).collect();
    let [magic, _, skew @ .., owner] = words.as_slice() else { return None };
    let skew: Vec<i64> = skew.iter().copied().map(i64::from_le_bytes).collect();
    let skew = Skew::of_words(skew.try_into().ok()?);
    (u64::from_le_bytes(*magic) == MAGIC).then_some((skew, u64::from_le_bytes(*owner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_fits_its_page() {
        assert!(code().len() < PAGE && code().len() > 100);
        for replacement in replacements() {
            assert!(replacement.at < code().len());
        }
        assert_eq!(code()[ask()..][..3], [0xff, 0xd0, 0xcc], "call rax; int3");
    }

    #[test]
    fn data_holds_the_clock() {
        let wrong = Skew { since: 1, ahead: -2, gain: 3, period: 4, swing: -5, step_at: 6, step: 7 };
        let bytes = data(&wrong, 8);
        assert_eq!((bytes.len(), skew(&bytes)), (DATA, Some((wrong, 8))));
        assert_eq!(skew(&[0; DATA]), None);
    }
}
