//! SSH as a transport: one kept-alive connection per host, replaced when it breaks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

use super::{Channel, Connection};
use crate::command::Output;
use crate::config::HostConfig;
use crate::error::ControlError;
use crate::transport::{BoxFuture, Exec, Progress, Sink, Source, Transport};

/// The number of concurrent commands on one connection. OpenSSH's default `MaxSessions` is 10; two are left for copying.
const SESSIONS: usize = 8;

/// The number of attempts to connect. The pause between them starts at [`FIRST_PAUSE`] and doubles.
const CONNECT_TRIES: u32 = 4;

/// The pause after the first failed attempt to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A transport over one SSH connection, opened when first needed.
pub struct SshTransport {
    host: String,
    config: HostConfig,
    connection: Mutex<Option<Arc<Connection>>>,
    sessions: Semaphore,
}

impl SshTransport {
    /// Creates the transport to a host, whose name is for error messages. Does not connect.
    pub fn new(host: impl Into<String>, config: HostConfig) -> SshTransport {
        SshTransport { host: host.into(), config, connection: Mutex::new(None), sessions: Semaphore::new(SESSIONS) }
    }

    /// Opens a channel on a living connection. Nothing was sent yet, so a dead connection may be replaced.
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
        let mut current = self.connection.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            match Connection::open(&self.host, &self.config).await {
                Ok(opened) => return Ok(current.insert(Arc::new(opened)).clone()),
                Err(error @ ControlError::Connect { .. }) if attempt < CONNECT_TRIES => {
                    tracing::debug!(host = self.host, %error, "cannot connect; trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the loop returns")
    }

    async fn forget(&self, dead: &Arc<Connection>) {
        let mut current = self.connection.lock().await;
        if current.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, dead)) {
            *current = None;
        }
    }
}

impl Transport for SshTransport {
    fn exec<'a>(&'a self, exec: Exec<'a>) -> BoxFuture<'a, Result<Output, ControlError>> {
        Box::pin(async move {
            let _session = self.sessions.acquire().await;
            let channel = self.channel().await?;
            let timeout = || ControlError::Timeout { host: self.host.clone(), command: exec.label.to_owned(), limit: exec.timeout };
            tokio::time::timeout(exec.timeout, channel.exec(exec)).await.unwrap_or_else(|_| Err(timeout()))
        })
    }

    fn upload<'a>(&'a self, source: Source<'a>, path: &'a str, progress: Progress<'a>) -> BoxFuture<'a, Result<(), ControlError>> {
        Box::pin(async move { self.channel().await?.upload(source, path, progress).await })
    }

    fn download<'a>(&'a self, path: &'a str, sink: Sink<'a>, progress: Progress<'a>) -> BoxFuture<'a, Result<(), ControlError>> {
        Box::pin(async move { self.channel().await?.download(path, sink, progress).await })
    }

    fn reconnect(&self, limit: Duration) -> BoxFuture<'_, Result<(), ControlError>> {
        Box::pin(async move {
            *self.connection.lock().await = None;
            let config = HostConfig { connect_timeout: limit.min(self.config.connect_timeout), ..self.config.clone() };
            let opened = Connection::open(&self.host, &config).await?;
            *self.connection.lock().await = Some(Arc::new(opened));
            Ok(())
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(connection) = self.connection.lock().await.take() {
                connection.close().await;
            }
        })
    }
}
