//! The login settings of a plan.

use std::path::PathBuf;

use elenchus_control::config::{self, HostConfig, HostKeyPolicy, Key, Secret, Sudo};
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::load::HIDDEN;

/// How to log in to a node. A node's settings take precedence over the plan's `ssh`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SshSettings {
    /// The user; by default `root`.
    pub user: Option<String>,
    /// The port; by default 22.
    pub port: Option<u16>,
    /// A file with a private key.
    pub key: Option<PathBuf>,
    /// Whether to try the keys of the SSH agent at `SSH_AUTH_SOCK`; by default only where no key and no password is set.
    pub agent: Option<bool>,
    /// The password. `${env:NAME}` takes it from the environment.
    pub password: Option<String>,
    /// How commands are run as root; needed where the user is not root.
    pub sudo: Option<SudoSettings>,
    /// How the host's key is checked; by default `strict`.
    pub host_key: Option<HostKeys>,
    /// A known_hosts file, in place of OpenSSH's.
    pub known_hosts: Option<PathBuf>,
    /// The jump host of the connection.
    pub jump: Option<Box<JumpSettings>>,
    /// The time-out for connecting; by default 10s.
    #[schemars(with = "Option<String>")]
    pub connect_timeout: Option<Span>,
}

/// A jump host.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JumpSettings {
    /// The jump host's address.
    pub address: String,
    /// How to log in to it.
    #[serde(default)]
    pub ssh: SshSettings,
}

/// How commands are run as root.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SudoSettings {
    /// Without sudo.
    None,
    /// With sudo that needs no password.
    Passwordless,
    /// With sudo and this password. `${env:NAME}` takes it from the environment.
    Password(String),
}

/// How host keys are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKeys {
    /// The key must be in a known_hosts file.
    #[default]
    Strict,
    /// The key of an unknown host is accepted and stored.
    AcceptNew,
    /// They are not checked.
    Off,
}

/// Looks up an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl SshSettings {
    /// These settings, with others as defaults.
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

    /// Every secret as written, with its path.
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

    /// The connection settings for the host at an address.
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
        // Without any setting, do as `ssh` does.
        let is_unset = config.auth.key.is_none() && config.auth.password.is_none();
        config.auth.agent = all.agent.unwrap_or(is_unset);
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

    /// Applies the settings that also concern a lab's nodes: user and sudo.
    ///
    /// # Errors
    /// When an environment variable is missing.
    pub(crate) fn amend(&self, config: &mut HostConfig, env: Env<'_>) -> Result<(), String> {
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

/// The value of `${env:NAME}`, or the text itself.
pub(super) fn secret(text: &str, env: Env<'_>) -> Result<Secret, String> {
    if text == HIDDEN {
        return Err("passwords are not stored with a run; write `${env:NAME}` here and set NAME in the environment".to_owned());
    }
    let Some(name) = text.strip_prefix("${env:").and_then(|rest| rest.strip_suffix('}')) else { return Ok(Secret::new(text)) };
    env(name)
        .map(Secret::new)
        .ok_or_else(|| format!("the environment variable `{name}`, which holds a secret of the plan, is not set; set it and run again"))
}

fn home(path: PathBuf, env: Env<'_>) -> PathBuf {
    match (path.strip_prefix("~"), env("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path,
    }
}
