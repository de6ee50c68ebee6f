//! How Elenchus speaks to systems: one file per protocol.
//!
//! | client | speaks | offers |
//! | --- | --- | --- |
//! | `etcd` | etcd's v3 API, by its JSON gateway | registers |
//! | `specimen` | the specimen's HTTP | registers |
//! | `noop` | nothing: it answers at once | registers |
//!
//! The hard rule: a time-out, a dropped connection or an unknown error on anything that may write is [`elenchus_core::Failure::Info`], never `Fail`. The transport's
//! part of that rule is in one place, the `http` module.
//!
//! Adding a client is one file, one variant of [`ClientSpec`] and one line in [`ALL`].

mod etcd;
mod http;
mod noop;
mod specimen;

use std::sync::Arc;

use elenchus_core::Client;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use etcd::{EtcdReads, EtcdSpec};
pub use specimen::SpecimenSpec;

/// The client of a plan: its name, and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientSpec {
    /// etcd's v3 API, by its JSON gateway.
    Etcd(EtcdSpec),
    /// The specimen's HTTP.
    Specimen(SpecimenSpec),
    /// Answers at once, for measuring Elenchus itself.
    Noop(NoopSpec),
}

/// Settings of the client that does nothing: none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoopSpec {}

/// The name of every client, and what it speaks.
pub const ALL: &[(&str, &str)] = &[
    ("etcd", "etcd's v3 API, by its JSON gateway"),
    ("specimen", "the specimen's HTTP"),
    ("noop", "nothing: it answers at once, for measuring Elenchus itself"),
];

impl ClientSpec {
    /// A client with its default settings, by name.
    pub fn named(name: &str) -> Option<ClientSpec> {
        match name {
            "etcd" => Some(ClientSpec::Etcd(EtcdSpec::default())),
            "specimen" => Some(ClientSpec::Specimen(SpecimenSpec::default())),
            "noop" => Some(ClientSpec::Noop(NoopSpec {})),
            _ => None,
        }
    }

    /// The client itself.
    pub fn build(&self) -> Arc<dyn Client> {
        match self {
            ClientSpec::Etcd(spec) => Arc::new(etcd::Etcd::new(spec.clone())),
            ClientSpec::Specimen(spec) => Arc::new(specimen::Specimen::new(spec.clone())),
            ClientSpec::Noop(_) => Arc::new(noop::Noop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_client_can_be_named() {
        assert!(ALL.iter().all(|(name, _)| ClientSpec::named(name).is_some()));
    }
}
