//! How Elenchus reaches nodes.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`command`] | [`Command`] and its [`Output`]: what is run on a node, quoted so that no argument can break out |
//! | [`config`] | [`config::HostConfig`]: address, user, keys, jump host, sudo, how the host proves who it is |
//! | [`host`] | [`Host`]: one node over one kept-alive SSH connection |
//! | `ssh` | the SSH client, the only file that names russh's |
//! | [`sshd`] | the SSH server of the lab's nodes |
//! | [`lab`] | nodes on this machine, made of Linux namespaces |
//! | [`system`] | installing, starting and stopping the system under test |

pub mod command;
pub mod config;
pub mod error;
pub mod host;
pub mod lab;
mod ssh;
pub mod sshd;
pub mod system;

pub use command::{Command, Exit, Output};
pub use error::ControlError;
pub use host::Host;
