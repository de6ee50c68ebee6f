//! The changes that a proxy makes to messages: the settings of a plan.

use elenchus_agent::proxy::{self as agent, Settings};
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes to messages. A request is all that a client sends until the server sends, a reply all that the server then sends; the seed decides which messages are affected. Of
/// several settings, the first that applies to a reply is used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct How {
    /// The share of replies that are lost, from 0 to 1: the request is processed, but the client sees a reset.
    #[serde(default)]
    pub lose_replies: f64,
    /// The share of replies, from 0 to 1, from which on nothing passes, either way: the connection stays open.
    #[serde(default)]
    pub stall: f64,
    /// The share of requests, from 0 to 1, that are sent again after their reply, on another connection. The second reply is discarded.
    #[serde(default)]
    pub replay: f64,
    /// How much later replies arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub delay: Option<Span>,
    /// Cuts messages in the middle, and ends the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Alters a value in messages that stay well-formed, like a Byzantine server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alter: Option<Alter>,
}

/// Altering a value in messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alter {
    /// The share of messages, greater than 0 and at most 1.
    pub share: f64,
    /// The protocol of the messages.
    pub protocol: Protocol,
    /// Requests or replies.
    #[serde(default)]
    pub of: Messages,
}

/// The protocol of messages. Messages that are encrypted, compressed or not understood are not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1: a letter or a digit of a value in a body that is JSON, or of a text.
    Http,
    /// Redis: a character of a string, the first digit of a number, or a boolean.
    Redis,
    /// PostgreSQL: a character of a value of a row or of a parameter.
    Postgres,
    /// Any protocol: one byte.
    Bytes,
}

impl Protocol {
    fn to_agent(self) -> agent::Protocol {
        match self {
            Protocol::Http => agent::Protocol::Http,
            Protocol::Redis => agent::Protocol::Redis,
            Protocol::Postgres => agent::Protocol::Postgres,
            Protocol::Bytes => agent::Protocol::Bytes,
        }
    }
}

/// Cutting messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The share of messages, greater than 0 and at most 1.
    pub share: f64,
    /// Requests or replies.
    #[serde(default)]
    pub of: Messages,
    /// After how many bytes; anywhere when absent. A message that is not longer is not cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How the connection ends, on both sides.
    #[serde(default)]
    pub by: End,
}

/// Requests or replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Messages {
    /// Messages of servers.
    #[default]
    Replies,
    /// Messages of clients.
    Requests,
}

impl Messages {
    fn side(self) -> agent::Side {
        if self == Messages::Requests { agent::Side::Client } else { agent::Side::Server }
    }

    fn name(self) -> &'static str {
        if self == Messages::Requests { "requests" } else { "replies" }
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By a reset (RST), as when a machine has crashed.
    #[default]
    Reset,
    /// By a FIN, as when a program has ended.
    Close,
}

impl Default for How {
    fn default() -> How {
        How { lose_replies: 0.1, stall: 0.0, replay: 0.0, delay: None, cut: None, alter: None }
    }
}

impl How {
    /// The settings for the agent.
    pub(super) fn settings(&self) -> Settings {
        let cut = self.cut.map(|Cut { share, of, after, by }| agent::Cut {
            share,
            of: of.side(),
            after,
            by: if by == End::Reset { agent::End::Reset } else { agent::End::Close },
        });
        let delay = self.delay.map_or_else(Default::default, |delay| delay.0);
        let alter = self.alter.map(|Alter { share, protocol, of }| agent::Alter { share, protocol: protocol.to_agent(), of: of.side() });
        Settings { lose_replies: self.lose_replies, stall: self.stall, replay: self.replay, delay, cut, alter }
    }

    /// Describes the settings: `10 % of replies lost`.
    pub(super) fn describe(&self) -> String {
        let shares = [(self.lose_replies, "replies lost"), (self.stall, "replies stalled"), (self.replay, "requests replayed")];
        let shares = shares.into_iter().filter(|(share, _)| *share > 0.0).map(|(share, what)| format!("{} % of {what}", share * 100.0));
        let cut = self.cut.map(|Cut { share, of, after, by: _ }| {
            let after = after.map(|bytes| format!(" after {bytes} bytes")).unwrap_or_default();
            format!("{} % of {} cut{after}", share * 100.0, of.name())
        });
        let alter = self
            .alter
            .map(|Alter { share, protocol, of }| format!("{} % of {} altered ({})", share * 100.0, of.name(), protocol.to_agent().name()));
        let delay = self.delay.map(|delay| format!("replies {delay} late"));
        shares.chain(cut).chain(alter).chain(delay).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if ![self.lose_replies, self.stall, self.replay].into_iter().all(|share| (0.0..=1.0).contains(&share)) {
            return Err("`lose_replies`, `stall` and `replay` must be from 0 to 1".into());
        }
        if self.cut.is_some_and(|cut| !(cut.share > 0.0 && cut.share <= 1.0)) {
            return Err("the `share` of a `cut` must be greater than 0 and at most 1".into());
        }
        if self.alter.is_some_and(|alter| !(alter.share > 0.0 && alter.share <= 1.0)) {
            return Err("the `share` of an `alter` must be greater than 0 and at most 1".into());
        }
        if self.describe().is_empty() {
            Err("no effect is set; set one of `lose_replies`, `stall`, `replay`, `delay`, `cut`, `alter`".into())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_parses_its_settings() {
        for yaml in [
            "{stall: 0.5, delay: 3ms}",
            "{cut: {share: 1, of: requests, by: close}}",
            "{replay: 0.1, cut: {share: 0.5, after: 9}}",
            "{alter: {share: 0.1, protocol: postgres, of: requests}}",
        ] {
            let how: How = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(serde_json::from_str::<How>(&serde_json::to_string(&how).unwrap()).unwrap(), how);
            let told = how.settings().to_string();
            assert_eq!(Settings::from_words(&told.split(' ').collect::<Vec<_>>()), Ok(how.settings()));
        }
    }
}
