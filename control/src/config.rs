//! The configuration of a host.

use std::path::PathBuf;
use std::time::Duration;

pub use elenchus_core::Secret;

/// A private key.
#[derive(Clone, Debug)]
pub enum Key {
    /// In a file, in OpenSSH's format.
    File(PathBuf),
    /// In memory, in OpenSSH's format.
    Text(Secret),
}

/// The credentials for logging in. They are tried in the order of the fields.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// A private key.
    pub key: Option<Key>,
    /// Whether to try the keys of the SSH agent at `SSH_AUTH_SOCK`.
    pub agent: bool,
    /// A password.
    pub password: Option<Secret>,
}

/// How commands run as root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sudo {
    /// Unchanged: the user is root, or no command needs root.
    #[default]
    None,
    /// By `sudo` without a password.
    Passwordless,
    /// By `sudo` with this password.
    Password(Secret),
}

/// How the host's key is checked.
#[derive(Clone, Debug)]
pub enum HostKeyPolicy {
    /// It must be in one of these files.
    Strict {
        /// Files in OpenSSH's `known_hosts` format.
        known_hosts: Vec<PathBuf>,
    },
    /// As strict, but the key of an unknown host is accepted and added to the first file.
    AcceptNew {
        /// Files in OpenSSH's `known_hosts` format.
        known_hosts: Vec<PathBuf>,
    },
    /// It must be this public key, in OpenSSH's format.
    Pinned(String),
    /// Not at all: any key is accepted.
    Off,
}

/// The configuration of a host.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Host name or IP address.
    pub address: String,
    /// Port of the SSH server.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// The credentials.
    pub auth: Auth,
    /// The jump host, if the connection goes through one.
    pub jump: Option<Box<HostConfig>>,
    /// How commands run as root.
    pub sudo: Sudo,
    /// How the host's key is checked.
    pub host_key: HostKeyPolicy,
    /// The time-out for connecting and logging in.
    pub connect_timeout: Duration,
    /// A command for `sh` on the control node that powers the host on. Must do no harm when the host is on.
    pub power_on: Option<String>,
}

impl HostConfig {
    /// A host with defaults: port 22, user root, no credentials, strict host key checking, 10 seconds to connect.
    pub fn new(address: impl Into<String>) -> HostConfig {
        HostConfig {
            address: address.into(),
            port: 22,
            user: "root".to_owned(),
            auth: Auth::default(),
            jump: None,
            sudo: Sudo::None,
            host_key: HostKeyPolicy::Strict { known_hosts: known_hosts() },
            connect_timeout: Duration::from_secs(10),
            power_on: None,
        }
    }
}

/// OpenSSH's `known_hosts` files of the user and the machine.
pub fn known_hosts() -> Vec<PathBuf> {
    let of_user = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh/known_hosts"));
    of_user.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect()
}
