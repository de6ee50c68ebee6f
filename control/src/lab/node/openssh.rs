//! The host's OpenSSH as a node's SSH server.

use std::fs::{self, File};
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::START_LIMIT;
use super::files::write;

/// The path of the server.
const SSHD: &str = "/usr/sbin/sshd";

/// Its configuration in the node.
const CONFIG: &str = "/etc/ssh/elenchus_sshd_config";

/// Its private key in the node.
const HOST_KEY: &str = "/etc/ssh/elenchus_host_key";

/// Its log in the node. Connections that faults cut are reported here, not on the terminal.
const LOG: &str = "/var/log/elenchus-sshd.log";

/// The interval between two checks whether it listens.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Writes the server's configuration and host key.
pub(super) fn configure(host_key: &str) -> io::Result<()> {
    write(HOST_KEY, host_key, 0o600)?;
    let config = format!(
        "Port 22\nHostKey {HOST_KEY}\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nUsePAM no\nUseDNS no\n\
         StrictModes no\nPidFile none\nMaxStartups 200\nSubsystem sftp internal-sftp\n"
    );
    write(CONFIG, &config, 0o644)
}

/// Starts the server, and waits until it listens.
pub(super) fn start() -> io::Result<Child> {
    fs::create_dir_all("/var/log")?;
    let log = File::create(LOG)?;
    let mut server = Command::new(SSHD)
        .args(["-D", "-e", "-f", CONFIG])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| io::Error::other(format!("cannot start {SSHD} (package openssh-server): {error}")))?;
    let deadline = Instant::now() + START_LIMIT;
    // The socket table is read instead of connecting: each connection would cost the server a login that never comes.
    while !listens() {
        if let Some(status) = server.try_wait()? {
            let log = fs::read_to_string(LOG).unwrap_or_default();
            return Err(io::Error::other(format!("{SSHD} ended with {status}: {}", log.trim())));
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("{SSHD} did not listen on port 22 within {START_LIMIT:?}")));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(server)
}

/// Whether a TCP socket of this network namespace listens on port 22.
fn listens() -> bool {
    let sockets = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    // The second field is the local address and port, the fourth the state; 0A is LISTEN.
    sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| fields.get(1).is_some_and(|local| local.ends_with(":0016")) && fields.get(3) == Some(&"0A"))
}
