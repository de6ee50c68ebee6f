//! x86-64.

use std::arch::global_asm;

use libc::{pid_t, user_regs_struct};

use super::{Replacement, from_start};
use crate::clock::tracee::ptrace;
use crate::{Result, failed};

/// The page size.
pub(in crate::clock) const PAGE: usize = 4096;

global_asm!(
    r#"
.pushsection .text.elenchus_clock, "ax", @progbits
# The compiler may split this crate into several objects, all of which must see these symbols; no other crate does.
.irp name, elenchus_clock_start, elenchus_gettimeofday, elenchus_time, elenchus_call, elenchus_clock_end
.globl \name
.hidden \name
.endr
.balign 4096
elenchus_clock_start:
elenchus_clock_gettime:                 # clock: edi; result: rsi
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
    add r8, [rip + elenchus_clock_start + 4096 + 24]    # ahead; r8: the shown time
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
elenchus_gettimeofday:                  # result: rdi; time zone: rsi
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
elenchus_time:                          # result: rdi
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
elenchus_call:                           # function: rax; arguments as in its ABI
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
    static elenchus_call: u8;
}

/// Every function that returns the time of day, `clock_gettime` first.
pub(in crate::clock) fn replacements() -> Vec<Replacement> {
    vec![
        Replacement { symbol: "__vdso_clock_gettime", at: 0 },
        Replacement { symbol: "__vdso_gettimeofday", at: from_start(&raw const elenchus_gettimeofday) },
        Replacement { symbol: "__vdso_time", at: from_start(&raw const elenchus_time) },
    ]
}

/// The offsets of the stub that calls a function and then traps, and of the stopped thread's instruction pointer.
pub(in crate::clock) fn call_stub() -> (usize, usize) {
    let start = from_start(&raw const elenchus_call);
    // The trap instruction is the third byte; the thread stands behind it.
    (start, start + 3)
}

/// The system call instruction.
pub(in crate::clock) const SYSTEM_CALL: [u8; 2] = [0x0f, 0x05];

/// The length of a jump: an opcode and a 32-bit displacement.
pub(in crate::clock) const JUMP: usize = 5;
const OPCODE: u8 = 0xe9;

/// The greatest distance of our code from the vDSO: half of the 2 GiB that a jump reaches.
pub(in crate::clock) const REACH: u64 = 1 << 30;

/// The end of the user address space.
pub(in crate::clock) const TOP: Option<u64> = Some(0x7fff_ffff_f000);

/// Encodes a jump at `from`.
pub(in crate::clock) fn jump(from: u64, to: u64) -> Vec<u8> {
    let distance = to.wrapping_sub(from + JUMP as u64) as i32;
    [[OPCODE].as_slice(), &distance.to_le_bytes()].concat()
}

/// Decodes the destination of a jump at `from`; None when the bytes are not a jump.
pub(in crate::clock) fn target(from: u64, bytes: &[u8]) -> Option<u64> {
    let (&OPCODE, distance) = bytes.split_first()? else { return None };
    let distance = i32::from_le_bytes(distance.try_into().ok()?);
    Some(from.wrapping_add(JUMP as u64).wrapping_add_signed(distance.into()))
}

/// The registers of a stopped thread.
#[derive(Clone, Copy)]
pub(in crate::clock) struct Registers(user_regs_struct);

impl Registers {
    pub(in crate::clock) fn read(tid: pid_t) -> Result<Registers> {
        // SAFETY: the struct consists of integers, for which zeros are valid.
        let mut registers: user_regs_struct = unsafe { std::mem::zeroed() };
        ptrace(libc::PTRACE_GETREGS, tid, 0, &raw mut registers as usize).map_err(failed(format!("the registers of thread {tid}")))?;
        Ok(Registers(registers))
    }

    pub(in crate::clock) fn write(&self, tid: pid_t) -> Result<()> {
        ptrace(libc::PTRACE_SETREGS, tid, 0, &raw const self.0 as usize).map_err(failed(format!("the registers of thread {tid}")))?;
        Ok(())
    }

    /// The instruction pointer.
    pub(in crate::clock) fn instruction(&self) -> u64 {
        self.0.rip
    }

    /// For executing a system call instruction at `place`. The thread may have been stopped in another system call, which the kernel would
    /// restart; `orig_rax` of -1 prevents that.
    pub(in crate::clock) fn for_system_call(self, place: u64, number: i64, arguments: [u64; 6]) -> Registers {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        Registers(user_regs_struct { rip: place, rax: number as u64, rdi, rsi, rdx, r10, r8, r9, orig_rax: u64::MAX, ..self.0 })
    }

    /// The result of a system call.
    pub(in crate::clock) fn result(&self) -> i64 {
        self.0.rax as i64
    }

    /// For running [`call_stub`] at `place`.
    pub(in crate::clock) fn for_call(self, place: u64, function: u64, arguments: [u64; 2], stack: u64) -> Registers {
        let [rdi, rsi] = arguments;
        Registers(user_regs_struct { rip: place, rax: function, rdi, rsi, rsp: stack, orig_rax: u64::MAX, ..self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stub_is_a_call_and_a_trap() {
        assert_eq!(crate::clock::processor::code()[call_stub().0..][..3], [0xff, 0xd0, 0xcc], "call rax; int3");
    }

    #[test]
    fn jumps_are_decoded() {
        assert_eq!(target(0x1000, &[0xe9, 0x0b, 0, 0, 0]), Some(0x1010));
        assert_eq!(target(0x1000, &[0xe9, 0xfb, 0xff, 0xff, 0xff]), Some(0x1000));
        assert_eq!(target(0x1000, &[0x90, 0, 0, 0, 0]), None);
    }
}
