//! What can go wrong between the control node and a host.

use std::time::Duration;

use thiserror::Error;

use crate::command::Exit;

/// Why something could not be done on a host. Every message names the host, and says what to do where that is known.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The SSH server could not be reached.
    #[error("{host}: cannot connect to {address}: {reason}")]
    Connect {
        /// The host's name.
        host: String,
        /// Where it was looked for.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The host did not prove who it is.
    #[error("{host}: {reason}")]
    HostKey {
        /// The host's name.
        host: String,
        /// What is wrong with its key, and what to do.
        reason: String,
    },
    /// The host refused the login.
    #[error("{host}: user `{user}` was refused: {reason}")]
    Auth {
        /// The host's name.
        host: String,
        /// Who tried to log in.
        user: String,
        /// What was tried, and what to do.
        reason: String,
    },
    /// The connection broke while a command ran or a file was copied.
    #[error("{host}: the connection was lost during `{command}`; whether it took effect is unknown")]
    ConnectionLost {
        /// The host's name.
        host: String,
        /// What was being done.
        command: String,
    },
    /// A command took too long. It may still be running.
    #[error("{host}: `{command}` took longer than {limit:?}")]
    Timeout {
        /// The host's name.
        host: String,
        /// The command.
        command: String,
        /// Its limit.
        limit: Duration,
    },
    /// A command ended without success.
    #[error("{host}: `{command}` ended with {status}{}{output}", if .output.is_empty() { "" } else { ": " })]
    Failed {
        /// The host's name.
        host: String,
        /// The command.
        command: String,
        /// How it ended.
        status: Exit,
        /// Its last words.
        output: String,
    },
    /// A file could not be copied.
    #[error("{host}: cannot copy {file}: {reason}")]
    Copy {
        /// The host's name.
        host: String,
        /// From or to where on the host.
        file: String,
        /// What happened.
        reason: String,
    },
}

/// The first line of a command, short enough for a message.
pub(crate) fn short(command: &str) -> String {
    let mut line: String = command.lines().next().unwrap_or_default().chars().take(120).collect();
    if line.len() < command.len() {
        line.push('…');
    }
    line
}
