//! Access to the nodes of the system under test.
//!
//! | module | content |
//! | --- | --- |
//! | [`command`] | [`Command`] and [`Output`]: commands for a node's shell, with arguments quoted |
//! | [`config`] | [`config::HostConfig`]: address, user, keys, jump host, sudo, host key policy |
//! | [`host`] | [`Host`]: runs commands on a node and copies files |
//! | [`transport`] | [`Transport`]: the means by which a `Host` is reached; [`SshTransport`] is the one implementation |
//! | [`lab`] | local nodes made of Linux namespaces |
//! | [`sshd`] | the SSH server of the lab's nodes |
//! | [`system`] | system definitions: installing, starting and stopping the system under test |
//!
//! # Running a command
//!
//! ```no_run
//! use elenchus_control::config::{HostConfig, Key};
//! use elenchus_control::{Command, Host};
//!
//! # async fn example() -> Result<(), elenchus_control::ControlError> {
//! let mut config = HostConfig::new("10.0.0.1");
//! config.auth.key = Some(Key::File("/home/me/.ssh/id_ed25519".into()));
//! let host = Host::new("n1", config);
//! println!("{}", host.run(Command::new("hostname")).await?.stdout_text());
//! # Ok(())
//! # }
//! ```
//!
//! # When SSH fails
//!
//! Every [`ControlError`] names the host. `Connect`, `HostKey` and `Auth` mean that the command was not run; after `ConnectionLost` and `Timeout` it may have
//! been run. The common causes:
//!
//! | message contains | remedy |
//! | --- | --- |
//! | `cannot connect` | check address, port and firewall; through a jump host, check that the jump host can reach the address |
//! | `the host key … is not known` | add it to `known_hosts` after checking it, or use [`config::HostKeyPolicy::AcceptNew`] |
//! | `the host key has CHANGED` | the host was reinstalled (remove the old line), or another machine answers in its place |
//! | `user … was refused` | the public key is missing in `~/.ssh/authorized_keys`, or the key with a passphrase is not in the SSH agent |
//! | `a password is required` | `sudo` asks for a password: set [`config::Sudo::Password`], or allow `NOPASSWD` |
//!
//! # Nodes without machines
//!
//! [`lab`] starts nodes on this machine, each with its own [`config::HostConfig`]; see its example.
//!
//! # Starting a system
//!
//! [`system::System`] carries out a [`system::Definition`], which is usually read from a YAML file; see the example of [`system`].

pub mod command;
pub mod config;
pub mod error;
pub mod host;
pub mod lab;
mod ssh;
pub mod sshd;
pub mod system;
pub mod transport;

pub use command::{Command, Exit, Output};
pub use error::ControlError;
pub use host::Host;
pub use ssh::SshTransport;
pub use transport::Transport;
