//! AArch64.

use std::arch::global_asm;

use libc::{c_void, iovec, pid_t};

use super::{Replacement, from_start};
use crate::clock::tracee::ptrace;
use crate::{Result, failed};

/// The largest page size of kernels for this processor; the actual one may be smaller.
pub(in crate::clock) const PAGE: usize = 65536;

global_asm!(
    r#"
.pushsection .text.elenchus_clock, "ax", @progbits
// The compiler may split this crate into several objects, all of which must see these symbols; no other crate does.
.irp name, elenchus_clock_start, elenchus_gettimeofday, elenchus_call, elenchus_clock_end
.globl \name
.hidden \name
.endr
.balign 4096
elenchus_clock_start:
elenchus_clock_gettime:                 // clock: w0; result: x1
    mov x9, x0
    mov x8, #113                        // SYS_clock_gettime
    svc #0
    cbnz x0, 9f
    cmp w9, #63
    b.hi 9f
    adr x10, elenchus_clock_start + 65536
    ldr x11, [x10, #8]
    lsr x11, x11, x9
    tbz x11, #0, 9f
    ldp x11, x12, [x1]
    movz x13, #0xca00
    movk x13, #0x3b9a, lsl #16          // x13: 1000000000
    madd x11, x11, x13, x12             // x11: the true time
    ldr x12, [x10, #16]
    sub x12, x11, x12                   // x12: since
    ldr x14, [x10, #32]                 // gain
    mul x15, x12, x14
    smulh x16, x12, x14
    extr x15, x16, x15, #32
    add x15, x11, x15
    ldr x16, [x10, #24]                 // ahead
    add x15, x15, x16                   // x15: the shown time
    ldr x16, [x10, #40]                 // period
    cmp x16, #0
    b.le 2f
    tbnz x12, #63, 2f
    udiv x17, x12, x16
    tbz x17, #0, 2f
    ldr x16, [x10, #48]                 // swing
    add x15, x15, x16
2:  ldr x16, [x10, #56]                 // step_at
    cmp x11, x16
    b.lt 3f
    ldr x16, [x10, #64]                 // step
    add x15, x15, x16
3:  sdiv x16, x15, x13
    msub x17, x16, x13, x15
    tbz x17, #63, 4f
    add x17, x17, x13
    sub x16, x16, #1
4:  stp x16, x17, [x1]
    mov x0, #0
9:  ret
.balign 16
elenchus_gettimeofday:                  // result: x0; time zone: x1
    cbz x1, 1f
    mov x9, x0
    mov x8, #169                        // SYS_gettimeofday, for the time zone
    svc #0
    cbnz x0, 9f
    mov x0, x9
1:  cbz x0, 8f
    stp x29, x30, [sp, #-48]!
    str x0, [sp, #32]
    mov x0, #0
    add x1, sp, #16
    bl elenchus_clock_gettime
    ldp x10, x11, [sp, #16]
    ldr x9, [sp, #32]
    mov x12, #1000
    udiv x11, x11, x12
    stp x10, x11, [x9]
    ldp x29, x30, [sp], #48
8:  mov x0, #0
9:  ret
.balign 16
elenchus_call:                           // function: x9; arguments as in its ABI
    blr x9
    brk #0
elenchus_clock_end:
    nop
.popsection
"#
);

unsafe extern "C" {
    static elenchus_gettimeofday: u8;
    static elenchus_call: u8;
}

/// Every function that returns the time of day, `clock_gettime` first.
pub(in crate::clock) fn replacements() -> Vec<Replacement> {
    vec![
        Replacement { symbol: "__kernel_clock_gettime", at: 0 },
        Replacement { symbol: "__kernel_gettimeofday", at: from_start(&raw const elenchus_gettimeofday) },
    ]
}

/// The offsets of the stub that calls a function and then traps, and of the stopped thread's instruction pointer: before the trap.
pub(in crate::clock) fn call_stub() -> (usize, usize) {
    let start = from_start(&raw const elenchus_call);
    (start, start + 4)
}

/// The system call instruction.
pub(in crate::clock) const SYSTEM_CALL: [u8; 4] = 0xd400_0001_u32.to_le_bytes();

/// The length of a jump: a landing pad for indirect branches (`bti c`, a no-op where unsupported), two instructions that load the address
/// behind them into x16 and branch to it, and the address. A plain branch reaches only 128 MiB, which the stacks of a dozen threads fill.
pub(in crate::clock) const JUMP: usize = 20;
const INSTRUCTIONS: [u32; 3] = [0xd503_245f, 0x5800_0050, 0xd61f_0200];

/// The greatest distance of our code from the vDSO: unlimited.
pub(in crate::clock) const REACH: u64 = u64::MAX;

/// The end of the user address space: it depends on the kernel, so nothing is mapped above the last mapping.
pub(in crate::clock) const TOP: Option<u64> = None;

/// Encodes a jump.
pub(in crate::clock) fn jump(_from: u64, to: u64) -> Vec<u8> {
    let instructions = INSTRUCTIONS.map(u32::to_le_bytes).concat();
    [instructions.as_slice(), &to.to_le_bytes()].concat()
}

/// Decodes the destination of a jump; None when the bytes are not a jump.
pub(in crate::clock) fn target(_from: u64, bytes: &[u8]) -> Option<u64> {
    let address = bytes.strip_prefix(INSTRUCTIONS.map(u32::to_le_bytes).concat().as_slice())?;
    Some(u64::from_le_bytes(address.try_into().ok()?))
}

/// The register set of general registers.
const NT_PRSTATUS: usize = 1;

/// The kernel's layout.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct General {
    x: [u64; 31],
    sp: u64,
    pc: u64,
    state: u64,
}

/// The registers of a stopped thread. When it was stopped in a system call, these registers restart the call.
#[derive(Clone, Copy)]
pub(in crate::clock) struct Registers(General);

impl Registers {
    pub(in crate::clock) fn read(tid: pid_t) -> Result<Registers> {
        let mut registers = General::default();
        let place = iovec { iov_base: (&raw mut registers).cast::<c_void>(), iov_len: size_of::<General>() };
        let what = failed(format!("the registers of thread {tid}"));
        ptrace(libc::PTRACE_GETREGSET, tid, NT_PRSTATUS, &raw const place as usize).map_err(what)?;
        Ok(Registers(registers))
    }

    pub(in crate::clock) fn write(&self, tid: pid_t) -> Result<()> {
        let place = iovec { iov_base: (&raw const self.0).cast_mut().cast::<c_void>(), iov_len: size_of::<General>() };
        let what = failed(format!("the registers of thread {tid}"));
        ptrace(libc::PTRACE_SETREGSET, tid, NT_PRSTATUS, &raw const place as usize).map_err(what)?;
        Ok(())
    }

    /// The program counter.
    pub(in crate::clock) fn instruction(&self) -> u64 {
        self.0.pc
    }

    /// For executing a system call instruction at `place`.
    pub(in crate::clock) fn for_system_call(self, place: u64, number: i64, arguments: [u64; 6]) -> Registers {
        let mut general = General { pc: place, ..self.0 };
        general.x[..6].copy_from_slice(&arguments);
        general.x[8] = number as u64;
        Registers(general)
    }

    /// The result of a system call.
    pub(in crate::clock) fn result(&self) -> i64 {
        self.0.x[0] as i64
    }

    /// For running [`call_stub`] at `place`.
    pub(in crate::clock) fn for_call(self, place: u64, function: u64, arguments: [u64; 2], stack: u64) -> Registers {
        let mut general = General { pc: place, sp: stack, ..self.0 };
        general.x[..2].copy_from_slice(&arguments);
        general.x[9] = function;
        Registers(general)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stub_is_a_call_and_a_trap() {
        let words = [0xd63f_0120_u32, 0xd420_0000].map(u32::to_le_bytes).concat();
        assert_eq!(crate::clock::processor::code()[call_stub().0..][..8], words, "blr x9; brk #0");
    }

    #[test]
    fn jumps_are_decoded() {
        for to in [0x1000_0010, 0xffff_8000_1234_0000] {
            let jump = jump(0x1000_0000, to);
            assert_eq!((jump.len(), target(0x1000_0000, &jump)), (JUMP, Some(to)));
        }
        assert_eq!(target(0x1000, &[0; JUMP]), None);
    }
}
