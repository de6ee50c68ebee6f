//! How a plan says to log in.

use std::path::PathBuf;

use elenchus_control::config::{self, HostConfig, HostKeyPolicy, Key, Secret, Sudo};
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::load::HIDDEN;

/// How to log in to a node. What a node does not say, the plan's `ssh` says; what that does not say has a default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SshSettings {
    /// The user; `root` when absent.
    pub user: Option<String>,
    /// The port; 22 when absent.
    pub port: Option<u16>,
    /// A file with a private key.
    pub key: Option<PathBuf>,
    /// Whether the keys of the agent at SSH_AUTH_SOCK are tried.
    pub agent: Option<bool>,
    /// A password. Write `${env:NAME}` to take it from the environment.
    pub password: Option<String>,
    /// How commands become root's; needed where the user is not root.
    pub sudo: Option<SudoSettings>,
    /// How the host proves who it is; `strict` when absent.
    pub host_key: Option<HostKeys>,
    /// A file of known hosts, instead of OpenSSH's own.
    pub known_hosts: Option<PathBuf>,
    /// The host through which the connection goes.
    pub jump: Option<Box<JumpSettings>>,
    /// How long connecting may take; 10s when absent.
    #[schemars(with = "Option<String>")]
    pub connect_timeout: Option<Span>,
}

/// A jump host.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JumpSettings {
    /// Its address.
    pub address: String,
    /// How to log in to it.
    #[serde(default)]
    pub ssh: SshSettings,
}

/// How commands become root's.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SudoSettings {
    /// They are run as they are.
    None,
    /// By `sudo` that asks for no password.
    Passwordless,
    /// By `sudo` with this password. Write `${env:NAME}` to take it from the environment.
    Password(String),
}

/// How hosts prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeys {
    /// By a key that is known already.
    #[default]
    Strict,
    /// A host that is not known yet is believed once, and remembered.
    AcceptNew,
    /// Not at all.
    Off,
}

/// Looks up environment variables.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl SshSettings {
    /// These settings, completed by others.
    fn or(&self, other: &SshSettings) -> SshSettings {
        SshSettings {
            user: self.user.clone().or_else(|| other.user.clone()),
            port: self.port.or(other.port),
            key: self.key.clone().or_else(|| other.key.clone()),
            agent: self.agent.or(other.agent),
            password: self.password.clone().or_else(|| other.password.clone()),
            sudo: self.sudo.clone().or_else(|| other.sudo.clone()),
            host_key: self.host_key.or(other.host_key),
            known_hosts: self.known_hosts.clone().or_else(|| other.known_hosts.clone()),
            jump: self.jump.clone().or_else(|| other.jump.clone()),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
        }
    }

    /// Every secret as it is written, with its path.
    pub(super) fn secrets(&self, path: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        found.extend(self.password.clone().map(|text| (format!("{path}.password"), text)));
        if let Some(SudoSettings::Password(text)) = &self.sudo {
            found.push((format!("{path}.sudo.password"), text.clone()));
        }
        if let Some(jump) = &self.jump {
            found.extend(jump.ssh.secrets(&format!("{path}.jump.ssh")));
        }
        found
    }

    /// How the host at an address is reached.
    ///
    /// # Errors
    /// When an environment variable is missing.
    pub(super) fn host_config(&self, defaults: &SshSettings, address: &str, env: Env<'_>) -> Result<HostConfig, String> {
        let all = self.or(defaults);
        let mut config = HostConfig::new(address);
        config.user = all.user.unwrap_or(config.user);
        config.port = all.port.unwrap_or(config.port);
        config.auth.password = all.password.map(|text| secret(&text, env)).transpose()?;
        config.auth.key = all.key.map(|path| Key::File(home(path, env)));
        // With nothing said at all, do as `ssh` does.
        let nothing_said = config.auth.key.is_none() && config.auth.password.is_none();
        config.auth.agent = all.agent.unwrap_or(nothing_said);
        config.sudo = match all.sudo {
            None | Some(SudoSettings::None) => Sudo::None,
            Some(SudoSettings::Passwordless) => Sudo::Passwordless,
            Some(SudoSettings::Password(text)) => Sudo::Password(secret(&text, env)?),
        };
        let known_hosts = all.known_hosts.map_or_else(config::known_hosts, |path| vec![home(path, env)]);
        config.host_key = match all.host_key.unwrap_or_default() {
            HostKeys::Strict => HostKeyPolicy::Strict { known_hosts },
            HostKeys::AcceptNew => HostKeyPolicy::AcceptNew { known_hosts },
            HostKeys::Off => HostKeyPolicy::Off,
        };
        config.connect_timeout = all.connect_timeout.map_or(config.connect_timeout, |span| span.0);
        if let Some(jump) = all.jump {
            config.jump = Some(Box::new(jump.ssh.host_config(&SshSettings::default(), &jump.address, env)?));
        }
        Ok(config)
    }

    /// Applies what a plan may change of how a lab's node is reached.
    pub(super) fn amend(&self, config: &mut HostConfig, env: Env<'_>) -> Result<(), String> {
        if let Some(user) = &self.user {
            config.user.clone_from(user);
        }
        config.sudo = match &self.sudo {
            None | Some(SudoSettings::None) => Sudo::None,
            Some(SudoSettings::Passwordless) => Sudo::Passwordless,
            Some(SudoSettings::Password(text)) => Sudo::Password(secret(text, env)?),
        };
        Ok(())
    }
}

/// `${env:NAME}` from the environment, anything else as it stands.
pub(super) fn secret(text: &str, env: Env<'_>) -> Result<Secret, String> {
    if text == HIDDEN {
        return Err("this password was not kept with the run; write `${env:NAME}` in its place and set NAME in the environment".to_owned());
    }
    let Some(name) = text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}')) else { return Ok(Secret::new(text)) };
    env(name).map(Secret::new).ok_or_else(|| format!("the environment variable `{name}` is not set; the plan takes a secret from it"))
}

fn home(path: PathBuf, env: Env<'_>) -> PathBuf {
    match (path.strip_prefix("~"), env("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path,
    }
}
