//! From the host into the lab's own namespaces.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, pipe2};

use super::cgroups::Cgroups;
use super::netlink::Netlink;
use super::procfs::ProcessId;
use super::supervise::Signals;
use super::{CONTROLLER, LabError, PREFIX, node};

/// Says to a re-executed process which part it plays.
pub(super) const ROLE: &str = "ELENCHUS_LAB_ROLE";

/// The pipe whose end tells the lab's init that the outer process is gone.
const LIFELINE: &str = "ELENCHUS_LAB_LIFELINE";

/// The tag of the lab, for its nodes.
pub(super) const TAG: &str = "ELENCHUS_LAB_TAG";

/// The bridge between the nodes.
pub(super) const BRIDGE: &str = "lab0";

/// Which side of the lab's door this process is on.
pub enum Entered {
    /// Outside: the test ran inside and is over, with this exit status.
    Outer(i32),
    /// Inside: go on with the test.
    Inner(LabNet),
}

/// The lab's network, with the control node in it and no nodes yet.
pub struct LabNet {
    /// Whether the host's user is root, so that nodes can have more.
    pub(super) is_root: bool,
}

/// Plays the part of a process of the lab, if this process was started as one; returns at once in any other. Must be the first call of `main`, before any thread
/// is started.
pub fn main_hook() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let ended = Signals::unblock().and_then(|()| match role.as_str() {
        "init" => init().map(Some),
        "node" => node::keep().map(Some),
        "node-init" => node::init().map(Some),
        "node-sshd" => node::serve().map(Some),
        _ => Ok(None),
    });
    match ended {
        Ok(None) => {}
        Ok(Some(status)) => std::process::exit(status),
        Err(error) => {
            eprintln!("elenchus: {error}");
            std::process::exit(3);
        }
    }
}

/// Whether this process is inside already.
pub fn is_inside() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Enters new namespaces, of which this process needs no privilege to make them. Outside, it runs this same command again inside and waits for it; inside, it returns
/// the lab's network. Must be called before any thread is started.
///
/// # Errors
/// When the kernel refuses; the message says what it needs.
pub fn enter() -> Result<Entered, LabError> {
    if std::env::var(ROLE).is_ok_and(|role| role == "inner") {
        return inner().map(Entered::Inner);
    }
    let (uid, gid) = (geteuid(), getegid());
    let spaces =
        CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    if uid.is_root() {
        unshare(spaces).map_err(|error| LabError::Namespaces {
            what: "unshare",
            source: error.into(),
            advice: "It needs CAP_SYS_ADMIN; in a container, start it with `--privileged`, or as an ordinary user where user namespaces are allowed.",
        })?;
    } else {
        unshare(spaces | CloneFlags::CLONE_NEWUSER).map_err(|error| LabError::Namespaces {
            what: "unshare with a user namespace",
            source: error.into(),
            advice: "Unprivileged user namespaces must be allowed: `sysctl kernel.unprivileged_userns_clone=1`, `sysctl user.max_user_namespaces=10000`, and on Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; or run as root.",
        })?;
        map_user(uid, gid).map_err(|source| LabError::Namespaces {
            what: "becoming root in the user namespace",
            source,
            advice: "On Ubuntu, `sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows it; or run as root.",
        })?;
    }
    outer().map(Entered::Outer).map_err(LabError::setup("running inside the lab"))
}

fn map_user(uid: Uid, gid: Gid) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Runs this command again as process 1 of the lab, and waits for its end.
fn outer() -> io::Result<i32> {
    let signals = Signals::block()?;
    let itself = ProcessId::of(std::process::id()).ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    let cgroups = Cgroups::before(itself);
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&read, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let child = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .env(ROLE, "init")
        .env(LIFELINE, read.as_raw_fd().to_string())
        .env(TAG, cgroups.tag())
        .spawn()?;
    drop(read);
    let status = signals.attend(&child)?;
    drop(write);
    cgroups.end();
    Ok(status)
}

/// Process 1 of the lab: when it ends, the kernel ends all others.
fn init() -> io::Result<i32> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // Ctrl-C on a terminal reaches the whole foreground process group; out of it, the lab hears of it once, from the outer process.
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    let signals = Signals::block()?;
    watch_lifeline();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, None::<&str>)?;
    let child = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).env(ROLE, "inner").env_remove(LIFELINE).spawn()?;
    signals.attend(&child)
}

/// Ends this process when the other end of the pipe is gone, for the case that the outer process died before it was asked to say so.
fn watch_lifeline() {
    let Ok(fd) = std::env::var(LIFELINE) else { return };
    // Opened anew by its path, so that no descriptor is taken from the air.
    let Ok(mut lifeline) = File::open(format!("/proc/self/fd/{fd}")) else { return };
    std::thread::spawn(move || {
        let _ = lifeline.read(&mut [0]);
        std::process::exit(137);
    });
}

/// The rest of `enter`, inside.
fn inner() -> Result<LabNet, LabError> {
    let is_root = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().nth(2) != Some("1"));
    let mut netlink = Netlink::open().map_err(LabError::setup("netlink"))?;
    netlink.set_up("lo").map_err(LabError::setup("the loopback link"))?;
    netlink.add_bridge(BRIDGE).map_err(|source| LabError::Namespaces {
        what: "a bridge between the nodes",
        source,
        advice: "The kernel needs bridges: `modprobe bridge veth` as root, once.",
    })?;
    netlink.set_up(BRIDGE).map_err(LabError::setup("the bridge"))?;
    netlink.add_address(BRIDGE, CONTROLLER.into(), PREFIX).map_err(LabError::setup("the control node's address"))?;
    Ok(LabNet { is_root })
}
