//! One SSH connection to a host. The only file that uses russh's client.

mod transport;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::agent::client::AgentClient;
use russh::keys::known_hosts::{check_known_hosts_path, known_host_keys_path, learn_known_hosts_path};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key, load_secret_key};
use russh::{ChannelMsg, Sig};
use russh_sftp::client::SftpSession;
use russh_sftp::protocol::OpenFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::command::{Exit, Output};
use crate::config::{HostConfig, HostKeyPolicy, Key};
use crate::error::ControlError;
use crate::transport::{Exec, Progress, Sink, Source};
pub use transport::SshTransport;

/// The interval between keep-alive requests on an idle connection. After three without an answer it is closed.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// The size of the pieces in which files are copied, in bytes.
const PIECE: usize = 256 * 1024;

/// An authenticated connection, shared by many commands.
pub(crate) struct Connection {
    host: String,
    handle: Handle<Verifier>,
    /// The connection to the jump host, which must live as long as this one.
    _jump: Option<Box<Connection>>,
}

impl Connection {
    /// Connects and logs in, within the configured time-out.
    pub(crate) async fn open(host: &str, config: &HostConfig) -> Result<Connection, ControlError> {
        let limit = config.connect_timeout;
        tokio::time::timeout(limit, Box::pin(connect(host, config)))
            .await
            .unwrap_or_else(|_| Err(unreachable(host, config, format!("no answer within {limit:?}"))))
    }

    /// Whether it is known to be closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Opens a channel for one command or copy. After an error, nothing was sent.
    pub(crate) async fn channel(&self) -> Result<Channel, ControlError> {
        let channel = self.handle.channel_open_session().await.map_err(|error| ControlError::Connect {
            host: self.host.clone(),
            address: "the open connection".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Channel { host: self.host.clone(), channel })
    }

    /// Closes the connection with an SSH disconnect message.
    pub(crate) async fn close(&self) {
        let _ = self.handle.disconnect(russh::Disconnect::ByApplication, "done", "en").await;
    }
}

/// A channel on which nothing was requested yet.
pub(crate) struct Channel {
    host: String,
    channel: russh::Channel<client::Msg>,
}

impl Channel {
    /// Runs a command until it ends.
    pub(crate) async fn exec(self, exec: Exec<'_>) -> Result<Output, ControlError> {
        let Channel { host, channel } = self;
        let lost = || ControlError::ConnectionLost { host: host.clone(), command: exec.label.to_owned() };
        channel.exec(false, exec.line).await.map_err(|_| lost())?;
        let (mut receiver, sender) = channel.split();
        let feed = async {
            // Not an error: a command may end without reading its input.
            let _ = sender.data(exec.stdin).await;
            let _ = sender.eof().await;
            std::future::pending::<()>().await
        };
        let collect = async {
            let (mut stdout, mut stderr, mut status) = (Vec::new(), Vec::new(), None);
            while let Some(message) = receiver.wait().await {
                match message {
                    ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                    ChannelMsg::ExtendedData { data, ext: 1 } => stderr.extend_from_slice(&data),
                    ChannelMsg::ExitStatus { exit_status } => status = Some(Exit::Code(exit_status)),
                    ChannelMsg::ExitSignal { signal_name, .. } => status = Some(Exit::Signal(name_of(&signal_name))),
                    ChannelMsg::Close => break,
                    _ => {}
                }
            }
            status.map(|status| Output { stdout, stderr, status })
        };
        tokio::select! {
            output = collect => output.ok_or_else(lost),
            () = feed => Err(lost()),
        }
    }

    /// Writes everything from `source` to a file on the host.
    pub(crate) async fn upload(self, source: Source<'_>, path: &str, progress: Progress<'_>) -> Result<(), ControlError> {
        let host = self.host.clone();
        let failed = |reason: String| copy_error(&host, path, reason);
        let sftp = self.sftp(path).await?;
        let flags = OpenFlags::CREATE | OpenFlags::TRUNCATE | OpenFlags::WRITE;
        let mut file = sftp.open_with_flags(path, flags).await.map_err(|error| failed(error.to_string()))?;
        let (mut piece, mut done) = (vec![0; PIECE], 0);
        loop {
            let length = source.read(&mut piece).await.map_err(|error| failed(error.to_string()))?;
            if length == 0 {
                break;
            }
            file.write_all(&piece[..length]).await.map_err(|error| failed(error.to_string()))?;
            done += length as u64;
            progress(done, None);
        }
        file.shutdown().await.map_err(|error| failed(error.to_string()))?;
        let _ = sftp.close().await;
        Ok(())
    }

    /// Reads a file on the host into `sink`.
    pub(crate) async fn download(self, path: &str, sink: Sink<'_>, progress: Progress<'_>) -> Result<(), ControlError> {
        let host = self.host.clone();
        let failed = |reason: String| copy_error(&host, path, reason);
        let sftp = self.sftp(path).await?;
        let size = sftp.metadata(path).await.map_err(|error| failed(error.to_string()))?.size;
        let mut file = sftp.open(path).await.map_err(|error| failed(error.to_string()))?;
        let (mut piece, mut done) = (vec![0; PIECE], 0);
        loop {
            let length = file.read(&mut piece).await.map_err(|error| failed(error.to_string()))?;
            if length == 0 {
                break;
            }
            sink.write_all(&piece[..length]).await.map_err(|error| failed(error.to_string()))?;
            done += length as u64;
            progress(done, size);
        }
        let _ = sftp.close().await;
        Ok(())
    }

    async fn sftp(self, path: &str) -> Result<SftpSession, ControlError> {
        let host = self.host;
        let refused = |reason: String| copy_error(&host, path, format!("SFTP: {reason}"));
        self.channel.request_subsystem(true, "sftp").await.map_err(|error| refused(error.to_string()))?;
        SftpSession::new(self.channel.into_stream()).await.map_err(|error| refused(error.to_string()))
    }
}

fn copy_error(host: &str, file: &str, reason: String) -> ControlError {
    ControlError::Copy { host: host.to_owned(), file: file.to_owned(), reason }
}

fn name_of(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}

fn unreachable(host: &str, config: &HostConfig, reason: String) -> ControlError {
    ControlError::Connect { host: host.to_owned(), address: format!("{}:{}", config.address, config.port), reason }
}

async fn connect(host: &str, config: &HostConfig) -> Result<Connection, ControlError> {
    let settings =
        Arc::new(client::Config { nodelay: true, keepalive_interval: Some(KEEPALIVE), keepalive_max: 3, ..client::Config::default() });
    let objection = Arc::new(Mutex::new(None));
    let verifier =
        Verifier { address: config.address.clone(), port: config.port, policy: config.host_key.clone(), objection: objection.clone() };
    let (handle, jump) = match &config.jump {
        None => {
            let stream = TcpStream::connect((config.address.as_str(), config.port))
                .await
                .map_err(|error| unreachable(host, config, error.to_string()))?;
            let _ = stream.set_nodelay(true);
            (client::connect_stream(settings, stream, verifier).await, None)
        }
        Some(jump_config) => {
            let jump = Box::new(Box::pin(connect(&format!("{host} (jump host)"), jump_config)).await?);
            let tunnel = jump
                .handle
                .channel_open_direct_tcpip(config.address.clone(), u32::from(config.port), "127.0.0.1", 0)
                .await
                .map_err(|error| unreachable(host, config, format!("not reachable from the jump host: {error}")))?;
            (client::connect_stream(settings, tunnel.into_stream(), verifier).await, Some(jump))
        }
    };
    let mut handle = handle.map_err(|error| {
        let objection = objection.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        match objection {
            Some(reason) => ControlError::HostKey { host: host.to_owned(), reason },
            None => unreachable(host, config, error.to_string()),
        }
    })?;
    log_in(host, config, &mut handle).await?;
    Ok(Connection { host: host.to_owned(), handle, _jump: jump })
}

async fn log_in(host: &str, config: &HostConfig, handle: &mut Handle<Verifier>) -> Result<(), ControlError> {
    let refused = |reason: String| ControlError::Auth { host: host.to_owned(), user: config.user.clone(), reason };
    let broken = |error: russh::Error| refused(format!("connection lost: {error}"));
    let mut tried = Vec::new();
    if let Some(key) = &config.auth.key {
        let (key, name) = load(key).map_err(refused)?;
        let hash = handle.best_supported_rsa_hash().await.map_err(broken)?.flatten();
        let proof = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
        if handle.authenticate_publickey(&config.user, proof).await.map_err(broken)?.success() {
            return Ok(());
        }
        tried.push(name);
    }
    if config.auth.agent {
        match with_agent(config, handle).await {
            Ok(true) => return Ok(()),
            Ok(false) => tried.push("the keys of the SSH agent".to_owned()),
            Err(reason) => tried.push(format!("the SSH agent ({reason})")),
        }
    }
    if let Some(password) = &config.auth.password {
        if handle.authenticate_password(&config.user, password.reveal()).await.map_err(broken)?.success() {
            return Ok(());
        }
        tried.push("the password".to_owned());
    }
    if tried.is_empty() {
        return Err(refused("no credentials given; set `key`, `agent` or `password` under `ssh`".to_owned()));
    }
    Err(refused(format!("tried {}; is the public key in its ~/.ssh/authorized_keys?", tried.join(", "))))
}

fn load(key: &Key) -> Result<(PrivateKey, String), String> {
    match key {
        Key::File(path) => load_secret_key(path, None)
            .map(|loaded| (loaded, format!("key {}", path.display())))
            .map_err(|error| format!("cannot use key {}: {error}; a key with a passphrase must be in the SSH agent", path.display())),
        Key::Text(text) => decode_secret_key(text.reveal(), None)
            .map(|loaded| (loaded, "the given key".to_owned()))
            .map_err(|error| format!("cannot use the given key: {error}")),
    }
}

async fn with_agent(config: &HostConfig, handle: &mut Handle<Verifier>) -> Result<bool, String> {
    let mut agent = AgentClient::connect_env().await.map_err(|error| format!("not reachable at SSH_AUTH_SOCK: {error}"))?;
    let identities = agent.request_identities().await.map_err(|error| error.to_string())?;
    for identity in identities {
        let hash = handle.best_supported_rsa_hash().await.map_err(|error| error.to_string())?.flatten();
        let key = identity.public_key().into_owned();
        let tried = handle.authenticate_publickey_with(&config.user, key, hash, &mut agent).await;
        if tried.is_ok_and(|result| result.success()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks the host's key.
pub(crate) struct Verifier {
    address: String,
    port: u16,
    policy: HostKeyPolicy,
    objection: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Verifier {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let checked = match offered {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check(key),
            PublicKeyOrCertificate::Certificate(_) if matches!(self.policy, HostKeyPolicy::Off) => Ok(()),
            PublicKeyOrCertificate::Certificate(_) => {
                Err("the host offers a certificate; Elenchus can check plain host keys only".to_owned())
            }
        };
        let accepted = checked.is_ok();
        *self.objection.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = checked.err();
        Ok(accepted)
    }
}

impl Verifier {
    fn check(&self, key: &PublicKey) -> Result<(), String> {
        match &self.policy {
            HostKeyPolicy::Off => Ok(()),
            HostKeyPolicy::Pinned(pinned) => {
                let pinned =
                    PublicKey::from_openssh(pinned).map_err(|error| format!("the pinned host key is not a public key: {error}"))?;
                if pinned.key_data() == key.key_data() { Ok(()) } else { Err("the host key differs from the pinned one".to_owned()) }
            }
            HostKeyPolicy::Strict { known_hosts } => match self.known(known_hosts, key)? {
                true => Ok(()),
                false => Err(format!(
                    "the host key ({}) is not known; add it with `ssh-keyscan -p {} {} >> ~/.ssh/known_hosts` after checking it, or write `ssh: {{host_key: accept_new}}` in the plan",
                    key.fingerprint(Default::default()),
                    self.port,
                    self.address
                )),
            },
            HostKeyPolicy::AcceptNew { known_hosts } => {
                if self.known(known_hosts, key)? {
                    return Ok(());
                }
                let Some(file) = known_hosts.first() else { return Ok(()) };
                learn_known_hosts_path(&self.address, self.port, key, file)
                    .map_err(|error| format!("cannot add the host key to {}: {error}", file.display()))
            }
        }
    }

    /// Whether one of the files contains this key for the host.
    ///
    /// # Errors
    /// When a file contains only other keys for the host, or cannot be read.
    fn known(&self, files: &[PathBuf], key: &PublicKey) -> Result<bool, String> {
        for file in files.iter().filter(|file| file.exists()) {
            match check_known_hosts_path(&self.address, self.port, key, file) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(russh::keys::Error::KeyChanged { line }) => {
                    return Err(format!(
                        "the host key has CHANGED: {}:{line} has a different one. This can be a man-in-the-middle attack, or the host was reinstalled; in that case remove that line",
                        file.display()
                    ));
                }
                Err(error) => return Err(format!("cannot read {}: {error}", file.display())),
            }
            // A known host that offers a key of another type must not be accepted as new.
            let others = known_host_keys_path(&self.address, self.port, file).map_err(|error| error.to_string())?;
            if let Some((line, _)) = others.first() {
                return Err(format!("the host key has another type than the one in {}:{line}", file.display()));
            }
        }
        Ok(false)
    }
}
