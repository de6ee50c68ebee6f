//! A node as the control node reaches it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use russh_sftp::client::SftpSession;
use russh_sftp::protocol::OpenFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Mutex, Semaphore};

use crate::command::{Command, Output, quote};
use crate::config::{HostConfig, Sudo};
use crate::error::{ControlError, short};
use crate::ssh::{Channel, Connection};

/// How many commands run at once on one connection. OpenSSH allows ten sessions unless told otherwise; two are left for copying.
const SESSIONS: usize = 8;

/// How often connecting is tried, with a pause that doubles each time from [`FIRST_PAUSE`].
const CONNECT_TRIES: u32 = 4;

/// The pause after the first failure to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The piece in which files are copied: 256 KiB.
const PIECE: usize = 256 * 1024;

/// A host, reached over one SSH connection that is opened when first needed, kept alive, and opened again when it broke. Cheap to clone; all clones
/// share the connection.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    config: HostConfig,
    connection: Mutex<Option<Arc<Connection>>>,
    sessions: Semaphore,
}

impl Host {
    /// A host of this name. Nothing is connected yet.
    pub fn new(name: impl Into<String>, config: HostConfig) -> Host {
        let shared = Shared { name: name.into(), config, connection: Mutex::new(None), sessions: Semaphore::new(SESSIONS) };
        Host { shared: Arc::new(shared) }
    }

    /// Its name in the plan.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its host name or IP address.
    pub fn address(&self) -> &str {
        &self.shared.config.address
    }

    /// The port of its SSH server, as it is connected to.
    pub fn port(&self) -> u16 {
        self.shared.config.port
    }

    /// What switches it on when it is off, where that is known: a command for `sh` on this machine.
    pub fn power_on(&self) -> Option<&str> {
        self.shared.config.power_on.as_deref()
    }

    /// Connects anew, once, whatever connection there was: that of a host that went down without a word seems to live on for a while. Commands that run on the
    /// old one are left alone. It takes no longer than `limit`, nor than connecting may take to this host.
    ///
    /// # Errors
    /// When the host cannot be reached or logged in to.
    pub async fn reconnect(&self, limit: Duration) -> Result<(), ControlError> {
        *self.shared.connection.lock().await = None;
        let config = HostConfig { connect_timeout: limit.min(self.shared.config.connect_timeout), ..self.shared.config.clone() };
        let opened = Connection::open(self.name(), &config).await?;
        *self.shared.connection.lock().await = Some(Arc::new(opened));
        Ok(())
    }

    /// Runs a command that must succeed.
    ///
    /// # Errors
    /// As [`Host::output`], and when it ends with anything but exit status 0.
    pub async fn run(&self, command: Command) -> Result<Output, ControlError> {
        let line = command.render();
        let output = self.output(command).await?;
        if output.status.is_success() {
            return Ok(output);
        }
        Err(ControlError::Failed {
            host: self.name().to_owned(),
            command: short(&line),
            output: output.last_words(),
            status: output.status,
        })
    }

    /// Runs a command, however it ends.
    ///
    /// # Errors
    /// When the host cannot be reached (nothing was run), the connection breaks meanwhile, or the command takes too long (it may have taken effect).
    pub async fn output(&self, command: Command) -> Result<Output, ControlError> {
        let _session = self.shared.sessions.acquire().await;
        let (line, stdin) = self.privileged(&command);
        tracing::trace!(host = self.name(), command = %command.render(), "run");
        let channel = self.channel().await?;
        tokio::time::timeout(command.timeout, channel.exec(&line, &stdin)).await.unwrap_or_else(|_| {
            Err(ControlError::Timeout { host: self.name().to_owned(), command: short(&command.render()), limit: command.timeout })
        })
    }

    /// As [`Host::run`], but connecting is within the command's time as well: for who had rather ask again than wait for a host that may be down.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn run_soon(&self, command: Command) -> Result<Output, ControlError> {
        let (limit, line) = (command.timeout, short(&command.render()));
        let late = |_| Err(ControlError::Timeout { host: self.name().to_owned(), command: line, limit });
        tokio::time::timeout(limit, self.run(command)).await.unwrap_or_else(late)
    }

    /// Copies a local file to the host, with these permissions. `progress` is told the bytes done and the bytes in all.
    ///
    /// # Errors
    /// When either file cannot be used, or the connection breaks.
    pub async fn upload(&self, local: &Path, remote: &str, mode: u32, progress: impl FnMut(u64, u64)) -> Result<(), ControlError> {
        let failed = |reason: String| self.copy_error(&local.display().to_string(), reason);
        let file = tokio::fs::File::open(local).await.map_err(|error| failed(error.to_string()))?;
        let size = file.metadata().await.map_err(|error| failed(error.to_string()))?.len();
        self.put(file, size, remote, mode, progress).await
    }

    /// Writes bytes to a file on the host, with these permissions. The file appears at once and whole.
    ///
    /// # Errors
    /// As [`Host::upload`].
    pub async fn write(&self, bytes: &[u8], remote: &str, mode: u32) -> Result<(), ControlError> {
        self.put(bytes, bytes.len() as u64, remote, mode, |_, _| {}).await
    }

    /// Copies a file from the host. `progress` is told the bytes done and the bytes in all.
    ///
    /// # Errors
    /// As [`Host::upload`].
    pub async fn download(&self, remote: &str, local: &Path, progress: impl FnMut(u64, u64)) -> Result<(), ControlError> {
        let mut file =
            tokio::fs::File::create(local).await.map_err(|error| self.copy_error(&local.display().to_string(), error.to_string()))?;
        self.get(remote, &mut file, progress).await?;
        file.flush().await.map_err(|error| self.copy_error(&local.display().to_string(), error.to_string()))
    }

    /// The content of a file on the host.
    ///
    /// # Errors
    /// As [`Host::upload`].
    pub async fn read(&self, remote: &str) -> Result<Vec<u8>, ControlError> {
        let mut bytes = Vec::new();
        self.get(remote, &mut bytes, |_, _| {}).await?;
        Ok(bytes)
    }

    /// Ends the connection, if there is one.
    pub async fn close(&self) {
        if let Some(connection) = self.shared.connection.lock().await.take() {
            connection.close().await;
        }
    }

    /// The line to run and its input, so that it runs as root where it must.
    fn privileged(&self, command: &Command) -> (String, Vec<u8>) {
        let line = command.render();
        match &self.shared.config.sudo {
            Sudo::Passwordless if command.privileged => (format!("exec sudo -n -- sh -c {}", quote(&line)), command.stdin.clone()),
            Sudo::Password(password) if command.privileged => {
                let mut stdin = format!("{}\n", password.reveal()).into_bytes();
                stdin.extend_from_slice(&command.stdin);
                // `-k` has sudo ask each time, so that the password is always what it reads first.
                (format!("exec sudo -k -S -p '' -- sh -c {}", quote(&line)), stdin)
            }
            _ => (line, command.stdin.clone()),
        }
    }

    /// A channel on a living connection. As nothing was asked yet, a dead connection may be replaced.
    async fn channel(&self) -> Result<Channel, ControlError> {
        let connection = self.connection().await?;
        match connection.channel().await {
            Ok(channel) => Ok(channel),
            Err(_) => {
                self.forget(&connection).await;
                self.connection().await?.channel().await
            }
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, ControlError> {
        let mut current = self.shared.connection.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match Connection::open(self.name(), &self.shared.config).await {
                Ok(opened) => return Ok(current.insert(Arc::new(opened)).clone()),
                Err(error @ ControlError::Connect { .. }) if attempt < CONNECT_TRIES => {
                    tracing::debug!(host = self.name(), %error, "connecting failed; trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop returns")
    }

    async fn forget(&self, dead: &Arc<Connection>) {
        let mut current = self.shared.connection.lock().await;
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, dead)) {
            *current = None;
        }
    }

    async fn sftp(&self) -> Result<SftpSession, ControlError> {
        self.channel().await?.sftp().await
    }

    async fn put(
        &self,
        mut source: impl tokio::io::AsyncRead + Unpin,
        size: u64,
        remote: &str,
        mode: u32,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), ControlError> {
        let failed = |reason: String| self.copy_error(remote, reason);
        let staged = self.staging();
        let sftp = self.sftp().await?;
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let mut file = sftp.open_with_flags(&staged, flags).await.map_err(|error| failed(error.to_string()))?;
        let (mut piece, mut done) = (vec![0; PIECE], 0);
        loop {
            let length = source.read(&mut piece).await.map_err(|error| failed(error.to_string()))?;
            if length == 0 {
                break;
            }
            file.write_all(&piece[..length]).await.map_err(|error| failed(error.to_string()))?;
            done += length as u64;
            progress(done, size);
        }
        file.shutdown().await.map_err(|error| failed(error.to_string()))?;
        let _ = sftp.close().await;
        let place = format!(
            "mkdir -p \"$(dirname {to})\" && chmod {mode:o} {from} && mv -f {from} {to}",
            to = quote(remote),
            from = quote(&staged)
        );
        let owned = if self.shared.config.sudo == Sudo::None { place } else { format!("chown 0:0 {} && {place}", quote(&staged)) };
        self.run(Command::sh(&owned)).await.map(drop)
    }

    async fn get(
        &self,
        remote: &str,
        target: &mut (impl tokio::io::AsyncWrite + Unpin),
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(), ControlError> {
        let failed = |reason: String| self.copy_error(remote, reason);
        // A file that only root may read is copied to where this user may.
        let staged = match self.shared.config.sudo {
            Sudo::None => None,
            _ => {
                let staged = self.staging();
                let user = quote(&self.shared.config.user);
                let copy = format!("umask 077 && cat {} > {to} && chown {user} {to}", quote(remote), to = quote(&staged));
                self.run(Command::sh(&copy)).await?;
                Some(staged)
            }
        };
        let sftp = self.sftp().await?;
        let path = staged.as_deref().unwrap_or(remote);
        let size = sftp.metadata(path).await.map_err(|error| failed(error.to_string()))?.size.unwrap_or(0);
        let mut file = sftp.open(path).await.map_err(|error| failed(error.to_string()))?;
        let (mut piece, mut done) = (vec![0; PIECE], 0);
        loop {
            let length = file.read(&mut piece).await.map_err(|error| failed(error.to_string()))?;
            if length == 0 {
                break;
            }
            target.write_all(&piece[..length]).await.map_err(|error| failed(error.to_string()))?;
            done += length as u64;
            progress(done, size);
        }
        let _ = sftp.close().await;
        match staged {
            Some(staged) => self.run(Command::new("rm").args(["-f", &staged])).await.map(drop),
            None => Ok(()),
        }
    }

    /// A path on the host that no other copy uses.
    fn staging(&self) -> String {
        static COUNTER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("/tmp/.elenchus-{}-{number}", std::process::id())
    }

    fn copy_error(&self, file: &str, reason: String) -> ControlError {
        ControlError::Copy { host: self.name().to_owned(), file: file.to_owned(), reason }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Host({} at {}@{}:{})", self.name(), self.shared.config.user, self.address(), self.shared.config.port)
    }
}
