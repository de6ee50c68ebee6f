//! The same as an ordinary user: on the nodes, the root file system is read-only except for some folders, and root is an ordinary user of the machine.

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// One test of each kind of fault, and a reboot.
const SELECTED: [&str; 6] = [
    "busybox::",
    "network::ipv6_is_cut_too",
    "links::packets_are_duplicated",
    "mounted::unsynced_writes",
    "disk::a_rollback",
    "machines::rebooted_nodes",
];

/// The user id of `nobody` on every distribution.
const NOBODY: u32 = 65534;

/// A copy of this program that `nobody` can execute, with a home and a queue.
pub(crate) struct Rootless {
    folder: TempDir,
}

impl Rootless {
    /// Prepares the folder; fails with the reason when `nobody` cannot execute the program there.
    pub(crate) fn new() -> Result<Rootless, String> {
        let rootless = Rootless { folder: tempfile::tempdir().unwrap() };
        std::fs::copy(std::env::current_exe().unwrap(), rootless.path("lab")).unwrap();
        for name in ["home", "queue"] {
            std::fs::create_dir(rootless.path(name)).unwrap();
            chown(rootless.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        for path in [rootless.folder.path().to_owned(), rootless.path("lab"), rootless.path("home")] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        match rootless.setpriv().arg("test").arg("-x").arg(rootless.path("lab")).status() {
            Err(error) => Err(format!("`setpriv` of util-linux cannot be started: {error}")),
            Ok(status) if status.success() => Ok(rootless),
            Ok(_) => Err(format!("`nobody` cannot execute programs below {}; set TMPDIR", std::env::temp_dir().display())),
        }
    }

    /// `setpriv`, which runs the rest of its command line as `nobody`.
    fn setpriv(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]);
        command
    }

    /// The process of its lab; `queue` is the variable of the queue's folder.
    pub(crate) fn command(&self, queue: impl AsRef<OsStr>) -> Command {
        let mut command = self.setpriv();
        command.arg(self.path("lab")).args(SELECTED);
        command
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("home"))
            .env(queue, self.path("queue"))
            .current_dir(self.path("home"));
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
