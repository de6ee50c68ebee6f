//! Ending the machine that this runs on: by `reboot(2)`, as its reset button does, or in order.
//!
//! In a container or a node of a lab, which has its own processes, the kernel ends those, and whoever keeps them may start them again.
//!
//! Nothing here is ever to be done to the machine of the control node: every order is told who that is, and refused there.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::system::{RebootCommand, reboot};

use crate::processes::has_capability;
use crate::{Result, failed};

/// The number of the capability to restart a machine.
const CAP_SYS_BOOT: u32 = 22;

/// The namespace of processes that a machine is started with, as the kernel has numbered it since there are any.
const INITIAL: &str = "pid:[4026531836]";

/// Where a node of a lab says that it is one.
const LAB: &str = "/run/elenchus/lab";

/// How long a machine may take to go down that was asked in order.
const PATIENCE: Duration = Duration::from_secs(600);

/// What becomes of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It starts again.
    Restart,
    /// It stays off.
    Off,
}

/// Who keeps these processes: the machine that was started, and the namespace in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The boot identifier.
    pub boot_id: String,
    /// The namespace of processes.
    pub processes: String,
}

impl Identity {
    /// That of this process.
    ///
    /// # Errors
    /// When the kernel does not say it.
    pub fn own() -> Result<Identity> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(failed("the boot identifier"))?;
        let processes = fs::read_link("/proc/self/ns/pid").map_err(failed("the namespace of processes"))?;
        Ok(Identity { boot_id: boot_id.trim().to_owned(), processes: processes.display().to_string() })
    }

    /// Fails where ending this would end the control node.
    fn keep_from(&self, control: &Identity) -> Result<()> {
        if control.boot_id.is_empty() || control.processes.is_empty() {
            return Err("it was not said which machine is the control node, which must not go down".into());
        }
        if self.boot_id == control.boot_id && (self.processes == control.processes || self.processes == INITIAL) {
            return Err("this node is the control node's own machine, which must not go down; take it out of the plan's nodes".into());
        }
        Ok(())
    }
}

/// Fails where the machine cannot be ended, or must not be.
///
/// # Errors
/// Why not.
pub fn trial(control: &Identity) -> Result<()> {
    Identity::own()?.keep_from(control)?;
    if !has_capability(CAP_SYS_BOOT)? {
        return Err("restarting takes the capability CAP_SYS_BOOT, which is not given here".into());
    }
    Ok(())
}

/// Ends the machine, at once and without writing anything to its disks, or in order. Returns only where that fails.
///
/// # Errors
/// Why the machine is still up.
pub fn end(way: Way, is_orderly: bool, control: &Identity) -> Result<()> {
    trial(control)?;
    if is_orderly {
        if let Some(program) = own_program(way, &Identity::own()?) {
            return ask(&program);
        }
        rustix::fs::sync();
    } else if Path::new(LAB).exists() {
        cut_off();
    }
    let command = match way {
        Way::Restart => RebootCommand::Restart,
        Way::Off => RebootCommand::PowerOff,
    };
    reboot(command).map_err(failed("reboot(2)"))
}

/// What ends this machine in order, where it has something that started it: elsewhere such a program would ask somebody else.
fn own_program(way: Way, own: &Identity) -> Option<Vec<&'static str>> {
    let name = match way {
        Way::Restart => "reboot",
        Way::Off => "poweroff",
    };
    if Path::new(LAB).exists() {
        return None;
    }
    if Path::new("/run/systemd/system").exists() {
        return Some(vec!["systemctl", name]);
    }
    (own.processes == INITIAL).then(|| vec![name])
}

fn ask(program: &[&str]) -> Result<()> {
    let line = program.join(" ");
    let status = Command::new(program[0]).args(&program[1..]).status().map_err(failed(&line))?;
    if !status.success() {
        return Err(format!("`{line}` ended with {status}"));
    }
    std::thread::sleep(PATIENCE);
    Err(format!("`{line}` was asked {PATIENCE:?} ago, and the machine is still up"))
}

/// Takes a lab's node off its network: a machine without power says goodbye to nobody, whereas the kernel, when it ends processes, closes their connections in order.
fn cut_off() {
    for link in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let file = link.path().join("flags");
        let flags = fs::read_to_string(&file).ok().and_then(|flags| u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok());
        if let Some(flags) = flags {
            // Where it is not allowed, the connections are closed.
            let _ = fs::write(&file, format!("{:#x}", flags & !IFF_UP));
        }
    }
}

/// The flag of a link that is switched on.
const IFF_UP: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(boot_id: &str, processes: &str) -> Identity {
        Identity { boot_id: boot_id.into(), processes: processes.into() }
    }

    #[test]
    fn the_control_node_is_never_ended() {
        let own = Identity::own().unwrap();
        // Nothing is asked but whether it would be refused.
        assert!(trial(&own).unwrap_err().contains("control node's own machine"));
        assert!(own.keep_from(&identity("", "")).is_err());
        let lab = identity("a", "pid:[4026532001]");
        assert_eq!(lab.keep_from(&identity("a", "pid:[4026532000]")), Ok(()), "another node of its lab");
        assert!(identity("a", INITIAL).keep_from(&identity("a", "pid:[4026532000]")).is_err(), "the lab's machine");
        assert!(lab.keep_from(&lab).is_err());
        assert_eq!(identity("b", INITIAL).keep_from(&identity("a", INITIAL)), Ok(()), "another machine");
    }

    #[test]
    fn who_is_started_by_somebody_asks_him() {
        // In whatever this is run, there is one of two answers for a machine of its own.
        let program = own_program(Way::Off, &identity("a", INITIAL)).unwrap_or_default();
        assert!(program.is_empty() || program.last() == Some(&"poweroff"), "{program:?}");
    }
}
