//! The transport to a node: SSH, or another one.
//!
//! [`Host`](crate::Host) decides what to run on a node: quoting, sudo, and atomic replacement of files. A [`Transport`] only carries it there. [`SshTransport`](crate::SshTransport) is
//! the one in use. Another backend, for example for Kubernetes pods, implements this trait and is passed to [`Host::with_transport`](crate::Host::with_transport).

use std::time::Duration;

pub use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::command::Output;
use crate::error::ControlError;

/// A command as a transport receives it.
#[derive(Clone, Copy, Debug)]
pub struct Exec<'a> {
    /// The line for a POSIX shell on the node.
    pub line: &'a str,
    /// The content of standard input.
    pub stdin: &'a [u8],
    /// The time that the command may take, without the time for connecting.
    pub timeout: Duration,
    /// The command as error messages show it.
    pub label: &'a str,
}

/// A reader that can be sent to another thread.
pub type Source<'a> = &'a mut (dyn AsyncRead + Send + Unpin);

/// A writer that can be sent to another thread.
pub type Sink<'a> = &'a mut (dyn AsyncWrite + Send + Unpin);

/// Called with the number of bytes copied so far, and the total where it is known.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, Option<u64>) + Send);

/// The means by which commands and files reach one node.
///
/// Implementations must not retry a command or a copy after any part of it may have reached the node.
pub trait Transport: Send + Sync {
    /// Runs a command until it ends, with any exit status.
    ///
    /// # Errors
    /// [`ControlError::Connect`], [`ControlError::HostKey`] or [`ControlError::Auth`] only if the command was certainly not run. [`ControlError::ConnectionLost`]
    /// or [`ControlError::Timeout`] if it may have been run.
    fn exec<'a>(&'a self, exec: Exec<'a>) -> BoxFuture<'a, Result<Output, ControlError>>;

    /// Writes everything from `source` to a file on the node, which is created or truncated.
    ///
    /// # Errors
    /// When the source or the file cannot be used, or the connection is lost.
    fn upload<'a>(&'a self, source: Source<'a>, path: &'a str, progress: Progress<'a>) -> BoxFuture<'a, Result<(), ControlError>>;

    /// Reads a file on the node into `sink`.
    ///
    /// # Errors
    /// As [`Transport::upload`].
    fn download<'a>(&'a self, path: &'a str, sink: Sink<'a>, progress: Progress<'a>) -> BoxFuture<'a, Result<(), ControlError>>;

    /// Replaces the connection by a new one, tried once and within `limit`. Commands that run on the old one are not interrupted.
    ///
    /// # Errors
    /// When the node cannot be reached or refuses the login.
    fn reconnect(&self, limit: Duration) -> BoxFuture<'_, Result<(), ControlError>>;

    /// Closes the connection, if there is one.
    fn close(&self) -> BoxFuture<'_, ()>;
}
