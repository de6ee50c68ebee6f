//! The servers: OpenSSH on its own port, and the lab's.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use elenchus_control::Host;
use elenchus_control::config::{HostConfig, HostKeyPolicy, Key, Secret};
use elenchus_control::sshd::{self, KeyPair, SshdConfig};

const SSHD: &str = "/usr/sbin/sshd";

/// A server on loopback that accepts one key.
pub(crate) struct Server {
    port: u16,
    key: KeyPair,
    dir: tempfile::TempDir,
    process: Option<Child>,
}

impl Server {
    pub(crate) fn config(&self) -> HostConfig {
        let mut config = HostConfig::new("127.0.0.1");
        config.port = self.port;
        config.auth.key = Some(Key::Text(Secret::new(self.key.private_openssh.clone())));
        config.host_key = HostKeyPolicy::Off;
        config
    }

    pub(crate) fn host(&self) -> Host {
        Host::new("here", self.config())
    }

    /// Kills an OpenSSH server and the processes of its connections.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            for child in children(process.id()) {
                let _ = kill(Pid::from_raw(child), Signal::SIGKILL);
            }
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts an OpenSSH server, and waits until it answers.
    pub(crate) fn start(&mut self) {
        let config = self.dir.path().join("sshd_config");
        let child = Command::new(SSHD).args(["-D", "-e", "-f"]).arg(&config).stderr(Stdio::null()).spawn().expect("sshd starts");
        self.process = Some(child);
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("sshd does not answer on port {}", self.port);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The child processes of a process.
fn children(parent: u32) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent_of = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // After the command's name in brackets: the state, then the parent.
        stat.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    pids.filter(|&pid| parent_of(pid) == Some(parent)).collect()
}

/// Runs a test on the lab's server, and on OpenSSH where it is installed.
pub(crate) async fn each_server(test: impl AsyncFn(&Server)) {
    test(&embedded().await).await;
    if let Some(server) = openssh() {
        test(&server).await;
    }
}

async fn embedded() -> Server {
    let (key, host_key) = (sshd::generate_key().unwrap(), sshd::generate_key().unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = SshdConfig { host_key: host_key.private_openssh, authorized_key: key.public_openssh.clone() };
    tokio::spawn(async move { sshd::serve(listener, config).await });
    Server { port, key, dir: tempfile::tempdir().unwrap(), process: None }
}

/// OpenSSH with its own configuration; where it cannot run, prints the reason and returns `None`.
pub(crate) fn openssh() -> Option<Server> {
    if !Path::new(SSHD).exists() {
        println!("skipped: OpenSSH's server is not installed (package openssh-server)");
        return None;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: OpenSSH's server needs root");
        return None;
    }
    std::fs::create_dir_all("/run/sshd").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (key, host_key) = (sshd::generate_key().unwrap(), sshd::generate_key().unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let host_key = write("host_key", &host_key.private_openssh);
    let authorized = write("authorized", &format!("{}\n", key.public_openssh));
    let settings = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\nStrictModes no\nPidFile none\n\
         PermitRootLogin yes\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
    );
    write("sshd_config", &settings);
    let mut server = Server { port, key, dir, process: None };
    server.start();
    Some(server)
}
