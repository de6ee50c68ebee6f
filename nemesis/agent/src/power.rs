//! Restarting or powering off the machine that this runs on: at once by `reboot(2)`, like its reset button, or orderly.
//!
//! In a PID namespace, as of a container or a lab's node, the kernel kills the processes of the namespace; its owner may start them again.
//!
//! The machine of the control node must never go down: every command carries the control node's identity and is refused there.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::system::{RebootCommand, reboot};

use crate::processes::has_capability;
use crate::{Result, failed};

/// `CAP_SYS_BOOT`.
const CAP_SYS_BOOT: u32 = 22;

/// The initial PID namespace: the kernel numbers it by a constant (`PROC_PID_INIT_INO`).
const INITIAL_NAMESPACE: &str = "pid:[4026531836]";

/// The file that marks a lab's node.
const LAB_MARKER: &str = "/run/elenchus/lab";

/// How long an orderly shutdown may take.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The action on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It reboots.
    Restart,
    /// It stays off.
    PowerOff,
}

/// The machine and the PID namespace of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The boot identifier.
    pub boot_id: String,
    /// The PID namespace.
    pub processes: String,
}

impl Identity {
    /// The identity of this process.
    ///
    /// # Errors
    /// When the kernel does not reveal it.
    pub fn own() -> Result<Identity> {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(failed("the boot identifier"))?;
        let processes = fs::read_link("/proc/self/ns/pid").map_err(failed("the PID namespace"))?;
        Ok(Identity { boot_id: boot_id.trim().to_owned(), processes: processes.display().to_string() })
    }

    /// Fails where a shutdown would hit the control node.
    fn refuse_if_control(&self, control: &Identity) -> Result<()> {
        if control.boot_id.is_empty() || control.processes.is_empty() {
            return Err("the command does not name the control node, which must not go down".into());
        }
        if self.boot_id == control.boot_id && (self.processes == control.processes || self.processes == INITIAL_NAMESPACE) {
            return Err("this node is the control node's own machine, which must not go down; take it out of the plan's nodes".into());
        }
        Ok(())
    }
}

/// Fails where the machine cannot, or must not, be shut down.
///
/// # Errors
/// Why not.
pub fn trial(control: &Identity) -> Result<()> {
    Identity::own()?.refuse_if_control(control)?;
    if !has_capability(CAP_SYS_BOOT)? {
        return Err("a restart requires the capability CAP_SYS_BOOT, which this user does not have here".into());
    }
    Ok(())
}

/// Shuts the machine down: at once and without writing to its disks, or orderly. Returns only on failure.
///
/// # Errors
/// Why the machine is still up.
pub fn shut_down(action: Action, is_orderly: bool, control: &Identity) -> Result<()> {
    trial(control)?;
    if is_orderly {
        if let Some(program) = shutdown_program(action, &Identity::own()?) {
            return run_program(&program);
        }
        rustix::fs::sync();
    } else if Path::new(LAB_MARKER).exists() {
        take_links_down();
    }
    let command = match action {
        Action::Restart => RebootCommand::Restart,
        Action::PowerOff => RebootCommand::PowerOff,
    };
    reboot(command).map_err(failed("reboot(2)"))
}

/// The program that shuts this machine down orderly. Only where an init system runs in this very namespace: elsewhere the program would
/// reach another machine's.
fn shutdown_program(action: Action, own: &Identity) -> Option<Vec<&'static str>> {
    let name = match action {
        Action::Restart => "reboot",
        Action::PowerOff => "poweroff",
    };
    if Path::new(LAB_MARKER).exists() {
        return None;
    }
    if Path::new("/run/systemd/system").exists() {
        return Some(vec!["systemctl", name]);
    }
    (own.processes == INITIAL_NAMESPACE).then(|| vec![name])
}

fn run_program(program: &[&str]) -> Result<()> {
    let line = program.join(" ");
    let status = Command::new(program[0]).args(&program[1..]).status().map_err(failed(&line))?;
    if !status.success() {
        return Err(format!("`{line}` failed: {status}"));
    }
    std::thread::sleep(TIMEOUT);
    Err(format!("`{line}` succeeded {TIMEOUT:?} ago, but the machine is still up"))
}

/// Takes the links of a lab's node down: a machine that loses power sends no FIN or RST, but the kernel closes the connections of processes
/// that it kills.
fn take_links_down() {
    for link in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let file = link.path().join("flags");
        let flags = fs::read_to_string(&file).ok().and_then(|flags| u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok());
        if let Some(flags) = flags {
            // Without permission the connections are closed orderly.
            let _ = fs::write(&file, format!("{:#x}", flags & !IFF_UP));
        }
    }
}

/// The flag of a link that is up.
const IFF_UP: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(boot_id: &str, processes: &str) -> Identity {
        Identity { boot_id: boot_id.into(), processes: processes.into() }
    }

    #[test]
    fn the_control_node_is_refused() {
        let own = Identity::own().unwrap();
        // `trial` does not shut anything down.
        assert!(trial(&own).unwrap_err().contains("control node's own machine"));
        assert!(own.refuse_if_control(&identity("", "")).is_err());
        let lab = identity("a", "pid:[4026532001]");
        assert_eq!(lab.refuse_if_control(&identity("a", "pid:[4026532000]")), Ok(()), "another node of its lab");
        assert!(identity("a", INITIAL_NAMESPACE).refuse_if_control(&identity("a", "pid:[4026532000]")).is_err(), "the lab's machine");
        assert!(lab.refuse_if_control(&lab).is_err());
        assert_eq!(identity("b", INITIAL_NAMESPACE).refuse_if_control(&identity("a", INITIAL_NAMESPACE)), Ok(()), "another machine");
    }

    #[test]
    fn a_machine_of_its_own_is_shut_down_by_its_init() {
        // The result depends on the machine that runs this test: a lab or container has no such program.
        let program = shutdown_program(Action::PowerOff, &identity("a", INITIAL_NAMESPACE)).unwrap_or_default();
        assert!(program.is_empty() || program.last() == Some(&"poweroff"), "{program:?}");
    }
}
