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
use super::environment::{LIFELINE, ROLE, TAG};
use super::error::LabError;
use super::network::LabNet;
use super::procfs::ProcessId;
use super::signals::Signals;

/// The side of the lab's boundary on which [`enter`] returned.
pub enum Entered {
    /// Outside: the test ran inside and ended with this exit status.
    Outer(i32),
    /// Inside: continue with the test.
    Inner(LabNet),
}

/// Enters new namespaces; as an ordinary user, in a user namespace. Outside, it runs this same command again inside and waits for its end; inside, it returns
/// the lab's network. Must be called before any thread is started.
///
/// # Errors
/// When the kernel refuses; the message says how to permit it.
pub fn enter() -> Result<Entered, LabError> {
    if std::env::var(ROLE).is_ok_and(|role| role == "inner") {
        return LabNet::create().map(Entered::Inner);
    }
    let (uid, gid) = (geteuid(), getegid());
    let spaces =
        CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    if uid.is_root() {
        unshare(spaces).map_err(|error| LabError::Namespaces {
            what: "unshare",
            source: error.into(),
            advice: "CAP_SYS_ADMIN is required: start the container with `--privileged`, or run as an ordinary user where user namespaces are allowed.",
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
    run_outer().map(Entered::Outer).map_err(LabError::setup("running inside the lab"))
}

fn map_user(uid: Uid, gid: Gid) -> io::Result<()> {
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// Runs this command again as process 1 of the lab, and waits for its end.
fn run_outer() -> io::Result<i32> {
    let signals = Signals::block()?;
    let itself = ProcessId::of(std::process::id()).ok_or_else(|| io::Error::other("/proc does not show this process"))?;
    let cgroups = Cgroups::prepare(itself);
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&read, FcntlArg::F_SETFD(FdFlag::empty()))?;
    let child = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .env(ROLE, "init")
        .env(LIFELINE, read.as_raw_fd().to_string())
        .env(TAG, cgroups.tag())
        .spawn()?;
    drop(read);
    let status = signals.wait_for_status(&child)?;
    drop(write);
    cgroups.delete_own();
    Ok(status)
}

/// Process 1 of the lab: when it ends, the kernel kills all others.
pub(super) fn run_init() -> io::Result<i32> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    // A terminal sends SIGINT to the whole foreground process group. In a group of its own, the lab receives it once, from the outer process.
    nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    let signals = Signals::block()?;
    watch_lifeline();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC, None::<&str>)?;
    let child = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).env(ROLE, "inner").env_remove(LIFELINE).spawn()?;
    signals.wait_for_status(&child)
}

/// Ends this process when the other end of the pipe is closed. Covers an outer process that died before this one asked for its parent-death signal.
fn watch_lifeline() {
    let Ok(fd) = std::env::var(LIFELINE) else { return };
    // Opened by its path: that is safe whatever number the variable holds.
    let Ok(mut lifeline) = File::open(format!("/proc/self/fd/{fd}")) else { return };
    std::thread::spawn(move || {
        let _ = lifeline.read(&mut [0]);
        std::process::exit(137);
    });
}
