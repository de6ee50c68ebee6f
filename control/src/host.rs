//! A node as the control node reaches it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::command::{Command, Output, quote};
use crate::config::{HostConfig, Sudo};
use crate::error::{ControlError, short};
use crate::ssh::SshTransport;
use crate::transport::{Exec, Sink, Source, Transport};

/// A node on which commands run and to which files are copied. Clones share the connection.
///
/// ```no_run
/// use elenchus_control::config::{HostConfig, Key, Sudo};
/// use elenchus_control::{Command, Host};
///
/// # async fn example() -> Result<(), elenchus_control::ControlError> {
/// let mut config = HostConfig::new("10.0.0.1");
/// config.user = "admin".to_owned();
/// config.auth.key = Some(Key::File("/home/me/.ssh/id_ed25519".into()));
/// config.sudo = Sudo::Passwordless;
/// let host = Host::new("n1", config);
///
/// let kernel = host.run(Command::new("uname").arg("-r")).await?.stdout_text();
/// host.write(b"heartbeat = 100\n", "/etc/my-store.conf", 0o644).await?;
/// let log = host.read("/var/log/my-store.log").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    config: HostConfig,
    transport: Arc<dyn Transport>,
}

impl Host {
    /// Creates a host that is reached over SSH. The connection is opened when first needed, kept alive, and replaced when it breaks.
    pub fn new(name: impl Into<String>, config: HostConfig) -> Host {
        let name = name.into();
        let transport = Arc::new(SshTransport::new(name.clone(), config.clone()));
        Host::with_transport(name, config, transport)
    }

    /// Creates a host that is reached by another transport. Of the configuration, `Host` itself uses the address, the port, the user, `sudo` and
    /// `power_on`; the rest concerns SSH only.
    pub fn with_transport(name: impl Into<String>, config: HostConfig, transport: Arc<dyn Transport>) -> Host {
        Host { shared: Arc::new(Shared { name: name.into(), config, transport }) }
    }

    /// Its name in the plan.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its host name or IP address.
    pub fn address(&self) -> &str {
        &self.shared.config.address
    }

    /// The port of its SSH server.
    pub fn port(&self) -> u16 {
        self.shared.config.port
    }

    /// The command, for `sh` on the control node, that powers it on; `None` if the configuration has none.
    pub fn power_on(&self) -> Option<&str> {
        self.shared.config.power_on.as_deref()
    }

    /// Replaces the connection by a new one. The connection to a host that lost power can appear alive for some time. Connects once, within `limit` and
    /// the configured time-out. Commands that run on the old connection are not interrupted.
    ///
    /// # Errors
    /// When the host cannot be reached or refuses the login.
    pub async fn reconnect(&self, limit: Duration) -> Result<(), ControlError> {
        self.shared.transport.reconnect(limit).await
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// As [`Host::output`], and when the exit status is not 0.
    pub async fn run(&self, command: Command) -> Result<Output, ControlError> {
        let line = command.render();
        let output = self.output(command).await?;
        if output.status.is_success() {
            return Ok(output);
        }
        Err(ControlError::Failed { host: self.name().to_owned(), command: short(&line), output: output.tail(), status: output.status })
    }

    /// Runs a command and returns its output, whatever its exit status.
    ///
    /// # Errors
    /// When the host cannot be reached (nothing was run), the connection is lost while the command runs, or the command takes too long (in both cases it may
    /// have taken effect).
    pub async fn output(&self, command: Command) -> Result<Output, ControlError> {
        let rendered = command.render();
        tracing::trace!(host = self.name(), command = %rendered, "run");
        let (line, stdin) = self.privileged(&command, &rendered);
        let exec = Exec { line: &line, stdin: &stdin, timeout: command.timeout, label: &short(&rendered) };
        self.shared.transport.exec(exec).await
    }

    /// As [`Host::run`], but the command's time-out includes connecting: for callers that would rather ask again than wait for a host that may be down.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn run_within_timeout(&self, command: Command) -> Result<Output, ControlError> {
        let (limit, line) = (command.timeout, short(&command.render()));
        let late = |_| Err(ControlError::Timeout { host: self.name().to_owned(), command: line, limit });
        tokio::time::timeout(limit, self.run(command)).await.unwrap_or_else(late)
    }

    /// Copies a local file to the host, with these permissions. `progress` receives the bytes copied and the size.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the connection is lost.
    pub async fn upload(
        &self,
        local: &Path,
        remote: &str,
        mode: u32,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<(), ControlError> {
        let failed = |error: std::io::Error| self.copy_error(local, &error);
        let mut file = tokio::fs::File::open(local).await.map_err(failed)?;
        let size = file.metadata().await.map_err(failed)?.len();
        self.put(&mut file, remote, mode, |done| progress(done, size)).await
    }

    /// Writes bytes to a file on the host, with these permissions. The file is replaced atomically.
    ///
    /// # Errors
    /// As [`Host::upload`].
    pub async fn write(&self, bytes: &[u8], remote: &str, mode: u32) -> Result<(), ControlError> {
        let mut source = bytes;
        self.put(&mut source, remote, mode, |_| {}).await
    }

    /// Copies a file from the host. `progress` receives the bytes copied and the size.
    ///
    /// # Errors
    /// As [`Host::upload`].
    pub async fn download(&self, remote: &str, local: &Path, progress: impl FnMut(u64, u64) + Send) -> Result<(), ControlError> {
        let failed = |error: std::io::Error| self.copy_error(local, &error);
        let mut file = tokio::fs::File::create(local).await.map_err(failed)?;
        self.get(remote, &mut file, progress).await?;
        file.flush().await.map_err(failed)
    }

    /// Returns the content of a file on the host.
    ///
    /// # Errors
    /// As [`Host::upload`].
    pub async fn read(&self, remote: &str) -> Result<Vec<u8>, ControlError> {
        let mut bytes = Vec::new();
        self.get(remote, &mut bytes, |_, _| {}).await?;
        Ok(bytes)
    }

    /// Closes the connection, if there is one.
    pub async fn close(&self) {
        self.shared.transport.close().await;
    }

    /// The line to run and its input; as root, where the command needs that and the user is another.
    fn privileged(&self, command: &Command, line: &str) -> (String, Vec<u8>) {
        match &self.shared.config.sudo {
            Sudo::Passwordless if command.privileged => (format!("exec sudo -n -- sh -c {}", quote(line)), command.stdin.clone()),
            Sudo::Password(password) if command.privileged => {
                let mut stdin = format!("{}\n", password.reveal()).into_bytes();
                stdin.extend_from_slice(&command.stdin);
                // With `-k`, sudo always asks: the first line of the input is then always the password.
                (format!("exec sudo -k -S -p '' -- sh -c {}", quote(line)), stdin)
            }
            _ => (line.to_owned(), command.stdin.clone()),
        }
    }

    async fn put(&self, source: Source<'_>, remote: &str, mode: u32, mut progress: impl FnMut(u64) + Send) -> Result<(), ControlError> {
        let staged = staging_path();
        self.shared.transport.upload(source, &staged, &mut |done, _| progress(done)).await.map_err(|error| about(error, remote))?;
        let place = format!(
            "mkdir -p \"$(dirname {to})\" && chmod {mode:o} {from} && mv -f {from} {to}",
            to = quote(remote),
            from = quote(&staged)
        );
        let owned = if self.shared.config.sudo == Sudo::None { place } else { format!("chown 0:0 {} && {place}", quote(&staged)) };
        self.run(Command::sh(&owned)).await.map(drop)
    }

    async fn get(&self, remote: &str, sink: Sink<'_>, mut progress: impl FnMut(u64, u64) + Send) -> Result<(), ControlError> {
        // A file that may be readable by root only is first copied to a place where this user can read it.
        let staged = match self.shared.config.sudo {
            Sudo::None => None,
            _ => {
                let staged = staging_path();
                let user = quote(&self.shared.config.user);
                let copy = format!("umask 077 && cat {} > {to} && chown {user} {to}", quote(remote), to = quote(&staged));
                self.run(Command::sh(&copy)).await?;
                Some(staged)
            }
        };
        let path = staged.as_deref().unwrap_or(remote);
        let mut progress = |done, size: Option<u64>| progress(done, size.unwrap_or(0));
        self.shared.transport.download(path, sink, &mut progress).await.map_err(|error| about(error, remote))?;
        match staged {
            Some(staged) => self.run(Command::new("rm").args(["-f", &staged])).await.map(drop),
            None => Ok(()),
        }
    }

    fn copy_error(&self, file: &Path, error: &std::io::Error) -> ControlError {
        ControlError::Copy { host: self.name().to_owned(), file: file.display().to_string(), reason: error.to_string() }
    }
}

/// Replaces the staging file in a copy error by the file that the caller named.
fn about(error: ControlError, remote: &str) -> ControlError {
    match error {
        ControlError::Copy { host, reason, .. } => ControlError::Copy { host, file: remote.to_owned(), reason },
        other => other,
    }
}

/// A path on the host that no other copy uses.
fn staging_path() -> String {
    static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("/tmp/.elenchus-{}-{number}", std::process::id())
}

impl std::fmt::Debug for Host {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Host({} at {}@{}:{})", self.name(), self.shared.config.user, self.address(), self.shared.config.port)
    }
}
