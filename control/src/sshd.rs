//! An SSH server for the nodes of the lab, where none need be installed. The only file that uses russh's server.
//!
//! It runs commands as its own user, copies files over SFTP, and forwards TCP connections, so that it can be a jump host. One key may log in.

mod files;

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rand_core::UnwrapErr;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, PublicKey, decode_secret_key};
use russh::server::{self, Auth, ChannelOpenHandle, Handle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, Sig};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};

/// The server's key, and the key that may log in.
#[derive(Clone)]
pub struct SshdConfig {
    /// Its private key, in OpenSSH's format.
    pub host_key: String,
    /// The public key that may log in, in OpenSSH's format.
    pub authorized_key: String,
}

/// The reason why the server cannot run.
#[derive(Debug, Error)]
pub enum SshdError {
    /// A key cannot be created or read.
    #[error("cannot use the {which} key of the lab's SSH server: {reason}")]
    Key {
        /// `host`, `authorized` or `new`.
        which: &'static str,
        /// The reason.
        reason: String,
    },
    /// The listener failed.
    #[error("the lab's SSH server cannot accept connections: {0}")]
    Accept(#[from] std::io::Error),
}

/// An Ed25519 key pair, in OpenSSH's format.
#[derive(Clone)]
pub struct KeyPair {
    /// The private key.
    pub private_openssh: String,
    /// The public key.
    pub public_openssh: String,
}

/// Generates a key from the operating system's randomness.
///
/// # Errors
/// When the key cannot be generated or encoded.
pub fn generate_key() -> Result<KeyPair, SshdError> {
    let failed = |error: russh::keys::ssh_key::Error| SshdError::Key { which: "new", reason: error.to_string() };
    let key = PrivateKey::random(&mut UnwrapErr(getrandom::SysRng), Algorithm::Ed25519).map_err(failed)?;
    Ok(KeyPair {
        private_openssh: key.to_openssh(LineEnding::LF).map_err(failed)?.to_string(),
        public_openssh: key.public_key().to_openssh().map_err(failed)?,
    })
}

/// Serves connections until the listener fails.
///
/// # Errors
/// When a key cannot be read, or the listener fails.
pub async fn serve(listener: TcpListener, config: SshdConfig) -> Result<std::convert::Infallible, SshdError> {
    let host_key =
        decode_secret_key(&config.host_key, None).map_err(|error| SshdError::Key { which: "host", reason: error.to_string() })?;
    let authorized = PublicKey::from_openssh(&config.authorized_key)
        .map_err(|error| SshdError::Key { which: "authorized", reason: error.to_string() })?;
    let settings = Arc::new(server::Config {
        keys: vec![host_key],
        auth_rejection_time: Duration::from_millis(10),
        nodelay: true,
        ..server::Config::default()
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let settings = settings.clone();
        let login = Login { authorized: authorized.clone(), opened: HashMap::new(), env: HashMap::new() };
        tokio::spawn(async move {
            // Errors of a connection are reported by the client.
            if let Ok(session) = server::run_stream(settings, stream, login).await {
                let _ = session.await;
            }
        });
    }
}

/// One connection.
struct Login {
    authorized: PublicKey,
    /// Channels on which nothing was requested yet.
    opened: HashMap<ChannelId, Channel<Msg>>,
    env: HashMap<ChannelId, Vec<(String, String)>>,
}

impl server::Handler for Login {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let known = key.public_key.key_data() == self.authorized.key_data();
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(&mut self, channel: Channel<Msg>, reply: ChannelOpenHandle, _: &mut Session) -> Result<(), russh::Error> {
        self.opened.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let port = u16::try_from(port).unwrap_or(0);
        match TcpStream::connect((host, port)).await {
            Ok(mut stream) => {
                reply.accept().await;
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut stream).await;
                });
            }
            Err(_) => drop(reply),
        }
        Ok(())
    }

    async fn env_request(&mut self, channel: ChannelId, name: &str, value: &str, session: &mut Session) -> Result<(), russh::Error> {
        self.env.entry(channel).or_default().push((name.to_owned(), value.to_owned()));
        session.channel_success(channel)
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let Some(channel) = self.opened.remove(&id) else { return session.channel_failure(id) };
        let line = String::from_utf8_lossy(command).into_owned();
        let env = self.env.remove(&id).unwrap_or_default();
        match start(&line, env) {
            Ok(child) => {
                session.channel_success(id)?;
                tokio::spawn(supervise(child, channel, session.handle()));
                Ok(())
            }
            Err(_) => session.channel_failure(id),
        }
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut Session) -> Result<(), russh::Error> {
        match self.opened.remove(&id) {
            Some(channel) if name == "sftp" => {
                session.channel_success(id)?;
                russh_sftp::server::run(channel.into_stream(), files::Files::default()).await;
                Ok(())
            }
            _ => session.channel_failure(id),
        }
    }
}

/// The variables of the server's environment that commands inherit. OpenSSH, too, starts each command in a clean environment.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TMPDIR"];

fn start(line: &str, env: Vec<(String, String)>) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .env_clear()
        .envs(INHERITED.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
        .envs(env)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Forwards a command's input, output and exit status.
async fn supervise(mut child: Child, channel: Channel<Msg>, session: Handle) {
    let (stdout, stderr, stdin) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
    let (receiver, sender) = channel.split();
    let gone = feed(receiver, stdin);
    // A daemon started by the command may keep its output open: after the command has ended, only what is already in the pipe is sent.
    let (ended_out, ended_err) = (tokio::sync::watch::channel(false), tokio::sync::watch::channel(false));
    let out = pump(stdout, sender.make_writer(), ended_out.1);
    let err = pump(stderr, sender.make_writer_ext(Some(1)), ended_err.1);
    let wait = async {
        let status = child.wait().await;
        let _ = ended_out.0.send(true);
        let _ = ended_err.0.send(true);
        status
    };
    let run = async { tokio::join!(wait, out, err).0 };
    let status = tokio::select! {
        status = run => status,
        // The client disconnected: dropping the child kills it. Processes in sessions of their own survive.
        () = gone => return,
    };
    let id = sender.id();
    let status = status.ok();
    let _ = match status.map(|status| (status.code(), status.signal())) {
        Some((_, Some(signal))) => {
            session.exit_signal_request(id, Sig::Custom(signal_name(signal)), false, String::new(), String::new()).await
        }
        Some((Some(code), _)) => session.exit_status_request(id, code as u32).await,
        _ => session.exit_status_request(id, 255).await,
    };
    let _ = session.eof(id).await;
    let _ = session.close(id).await;
}

/// Forwards the client's input, and returns when the channel is closed.
async fn feed(mut receiver: ChannelReadHalf, mut stdin: Option<ChildStdin>) {
    while let Some(message) = receiver.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(input) = &mut stdin
                    && input.write_all(&data).await.is_err()
                {
                    stdin = None;
                }
            }
            ChannelMsg::Eof => stdin = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

/// Copies output until its end, or, after the command has ended, until the pipe is empty.
async fn pump(
    source: Option<impl AsyncRead + Unpin>,
    mut sink: impl tokio::io::AsyncWrite + Unpin,
    mut ended: tokio::sync::watch::Receiver<bool>,
) {
    let Some(mut source) = source else { return };
    let mut piece = vec![0; 32 * 1024];
    loop {
        let last = *ended.borrow();
        let read = async {
            if last {
                // Everything the command wrote before it ended is already in the pipe.
                tokio::time::timeout(Duration::from_millis(20), source.read(&mut piece)).await.unwrap_or(Ok(0))
            } else {
                source.read(&mut piece).await
            }
        };
        let length = tokio::select! {
            biased;
            length = read => length.unwrap_or(0),
            _ = ended.changed(), if !last => continue,
        };
        if length == 0 || sink.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| signal.to_string(), |known| known.as_str().trim_start_matches("SIG").to_owned())
}
