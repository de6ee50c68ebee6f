//! Errors of commands and copies on a host.

use std::time::Duration;

use thiserror::Error;

use crate::command::Exit;

/// The reason why a command or a copy failed. Every message names the host, and a remedy where one is known.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The host could not be reached. Nothing was run.
    #[error("{host}: cannot connect to {address}: {reason}")]
    Connect {
        /// The host's name.
        host: String,
        /// Its address and port.
        address: String,
        /// The reason.
        reason: String,
    },
    /// The host's key was not accepted. Nothing was run.
    #[error("{host}: {reason}")]
    HostKey {
        /// The host's name.
        host: String,
        /// The problem with the key, and what to do.
        reason: String,
    },
    /// The host refused the login. Nothing was run.
    #[error("{host}: user `{user}` was refused: {reason}")]
    Auth {
        /// The host's name.
        host: String,
        /// The user.
        user: String,
        /// The methods that were tried, and what to do.
        reason: String,
    },
    /// The connection was lost while a command ran. The command may have taken effect.
    #[error("{host}: the connection was lost during `{command}`; whether it took effect is unknown")]
    ConnectionLost {
        /// The host's name.
        host: String,
        /// The command.
        command: String,
    },
    /// A command exceeded its time-out. It may still be running.
    #[error("{host}: `{command}` took longer than {limit:?}")]
    Timeout {
        /// The host's name.
        host: String,
        /// The command.
        command: String,
        /// The time-out.
        limit: Duration,
    },
    /// A command ended with a failure.
    #[error("{host}: `{command}` ended with {status}{}{output}", if .output.is_empty() { "" } else { ": " })]
    Failed {
        /// The host's name.
        host: String,
        /// The command.
        command: String,
        /// Its exit status.
        status: Exit,
        /// The end of its output.
        output: String,
    },
    /// A file could not be copied.
    #[error("{host}: cannot copy {file}: {reason}")]
    Copy {
        /// The host's name.
        host: String,
        /// The file's path, on the host or the control node.
        file: String,
        /// The reason.
        reason: String,
    },
}

/// The first line of a command, shortened for a message.
pub(crate) fn short(command: &str) -> String {
    let mut line: String = command.lines().next().unwrap_or_default().chars().take(120).collect();
    if line.len() < command.len() {
        line.push('…');
    }
    line
}
