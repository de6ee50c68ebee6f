//! How a host is reached.

use std::path::PathBuf;
use std::time::Duration;

pub use elenchus_core::Secret;

/// A private key.
#[derive(Clone, Debug)]
pub enum Key {
    /// In a file, as OpenSSH writes it.
    File(PathBuf),
    /// In memory, as OpenSSH writes it.
    Text(Secret),
}

/// How the control node proves who it is. Tried in the order of the fields.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    /// With a key.
    pub key: Option<Key>,
    /// With the keys of the agent at `SSH_AUTH_SOCK`.
    pub agent: bool,
    /// With a password.
    pub password: Option<Secret>,
}

/// How commands become root's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sudo {
    /// They are not changed: the user is root, or nothing needs root.
    #[default]
    None,
    /// By `sudo` that asks for no password.
    Passwordless,
    /// By `sudo` with this password.
    Password(Secret),
}

/// How the host proves who it is.
#[derive(Clone, Debug)]
pub enum HostKeyPolicy {
    /// By a key that one of these files knows.
    Strict {
        /// Files in OpenSSH's `known_hosts` format.
        known_hosts: Vec<PathBuf>,
    },
    /// As strict, but a host that is not known yet is believed once, and remembered in the first file.
    AcceptNew {
        /// Files in OpenSSH's `known_hosts` format.
        known_hosts: Vec<PathBuf>,
    },
    /// By exactly this public key, as OpenSSH writes it.
    Pinned(String),
    /// Not at all: whoever answers is believed.
    Off,
}

/// Everything needed to reach a host.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Name or IP address.
    pub address: String,
    /// Port of the SSH server.
    pub port: u16,
    /// User to log in as.
    pub user: String,
    /// How to log in.
    pub auth: Auth,
    /// The host through which the connection goes.
    pub jump: Option<Box<HostConfig>>,
    /// How commands become root's.
    pub sudo: Sudo,
    /// How the host proves who it is.
    pub host_key: HostKeyPolicy,
    /// How long connecting and logging in may take.
    pub connect_timeout: Duration,
    /// What switches the host on when it is off, where that is known: a command for `sh` on the control node, which does no harm when the host is on.
    pub power_on: Option<String>,
}

impl HostConfig {
    /// A host with the usual settings: port 22, root, no way to log in yet, strict about host keys, ten seconds to connect.
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

/// OpenSSH's own files of known hosts.
pub fn known_hosts() -> Vec<PathBuf> {
    let of_user = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh/known_hosts"));
    of_user.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect()
}
