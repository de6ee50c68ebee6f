//! x86-64.

use std::arch::global_asm;

use libc::{pid_t, user_regs_struct};

use super::{Replacement, from_start};
use crate::clock::tracee::trace;
use crate::{Result, failed};

/// A page, as this processor has them.
pub(in crate::clock) const PAGE: usize = 4096;

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
    static elenchus_gettimeofday: u8;
    static elenchus_time: u8;
    static elenchus_ask: u8;
}

/// Every function that tells the time of day, `clock_gettime` first.
pub(in crate::clock) fn replacements() -> Vec<Replacement> {
    vec![
        Replacement { symbol: "__vdso_clock_gettime", at: 0 },
        Replacement { symbol: "__vdso_gettimeofday", at: from_start(&raw const elenchus_gettimeofday) },
        Replacement { symbol: "__vdso_time", at: from_start(&raw const elenchus_time) },
    ]
}

/// Where the code is that calls a function and then traps, from the start of the code, and where the thread stands then.
pub(in crate::clock) fn ask() -> (usize, usize) {
    let start = from_start(&raw const elenchus_ask);
    // The trap instruction is the third byte, and behind the thread.
    (start, start + 3)
}

/// An instruction that makes a system call.
pub(in crate::clock) const SYSTEM_CALL: [u8; 2] = [0x0f, 0x05];

/// The length of a jump: an opcode and a distance of four bytes.
pub(in crate::clock) const JUMP: usize = 5;
const OPCODE: u8 = 0xe9;

/// How far a jump may lead from the vDSO, with room to spare: half of its 2 GiB.
pub(in crate::clock) const REACH: u64 = 1 << 30;

/// Where the addresses of a program end.
pub(in crate::clock) const TOP: Option<u64> = Some(0x7fff_ffff_f000);

/// A jump at `from`.
pub(in crate::clock) fn jump(from: u64, to: u64) -> Vec<u8> {
    let distance = to.wrapping_sub(from + JUMP as u64) as i32;
    [[OPCODE].as_slice(), &distance.to_le_bytes()].concat()
}

/// Where a jump at `from` leads, if that is what the bytes there are.
pub(in crate::clock) fn target(from: u64, bytes: &[u8]) -> Option<u64> {
    let (&OPCODE, distance) = bytes.split_first()? else { return None };
    let distance = i32::from_le_bytes(distance.try_into().ok()?);
    Some(from.wrapping_add(JUMP as u64).wrapping_add_signed(distance.into()))
}

/// The registers of a thread that is stopped.
#[derive(Clone, Copy)]
pub(in crate::clock) struct Registers(user_regs_struct);

impl Registers {
    pub(in crate::clock) fn of(tid: pid_t) -> Result<Registers> {
        // SAFETY: it is made of integers, of which zero is one.
        let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
        trace(libc::PTRACE_GETREGS, tid, 0, &raw mut registers as usize).map_err(failed(format!("the registers of thread {tid}")))?;
        Ok(Registers(registers))
    }

    pub(in crate::clock) fn put(&self, tid: pid_t) -> Result<()> {
        trace(libc::PTRACE_SETREGS, tid, 0, &raw const self.0 as usize).map_err(failed(format!("the registers of thread {tid}")))?;
        Ok(())
    }

    /// Which instruction is next.
    pub(in crate::clock) fn at(&self) -> u64 {
        self.0.rip
    }

    /// About to make a system call by an instruction at `place`. It may have been stopped in another, which the kernel makes again when the thread goes on: but not
    /// with these registers.
    pub(in crate::clock) fn calling(self, place: u64, number: i64, arguments: [u64; 6]) -> Registers {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        Registers(user_regs_struct { rip: place, rax: number as u64, rdi, rsi, rdx, r10, r8, r9, orig_rax: u64::MAX, ..self.0 })
    }

    /// What a system call answered.
    pub(in crate::clock) fn answer(&self) -> i64 {
        self.0.rax as i64
    }

    /// About to run [`ask`]'s code at `place`.
    pub(in crate::clock) fn asking(self, place: u64, function: u64, arguments: [u64; 2], stack: u64) -> Registers {
        let [rdi, rsi] = arguments;
        Registers(user_regs_struct { rip: place, rax: function, rdi, rsi, rsp: stack, orig_rax: u64::MAX, ..self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_a_call_and_a_trap() {
        assert_eq!(crate::clock::processor::code()[ask().0..][..3], [0xff, 0xd0, 0xcc], "call rax; int3");
    }

    #[test]
    fn jumps_are_read() {
        assert_eq!(target(0x1000, &[0xe9, 0x0b, 0, 0, 0]), Some(0x1010));
        assert_eq!(target(0x1000, &[0xe9, 0xfb, 0xff, 0xff, 0xff]), Some(0x1000));
        assert_eq!(target(0x1000, &[0x90, 0, 0, 0, 0]), None);
    }
}
