//! What a proxy does: as a plan asks it.

use elenchus_agent::proxy::{self as agent, Settings};
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to connections. A request is what a client says until the server speaks, a reply what the server says then; the seed decides which. Several may be set;
/// of one reply, the first that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct How {
    /// The part of replies that are lost, from 0 to 1: the request has arrived and is answered, and the client sees a reset instead.
    #[serde(default)]
    pub lose_replies: f64,
    /// The part of replies from which on nothing passes, either way, from 0 to 1: the connection stays open, and silent.
    #[serde(default)]
    pub stall: f64,
    /// The part of requests that are sent again, on a connection of their own, when they are answered; from 0 to 1. What that answers nobody hears.
    #[serde(default)]
    pub replay: f64,
    /// How late replies are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub delay: Option<Span>,
    /// Messages that break off in the middle, and the connection with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// Messages in which a value is altered that stay well-formed, as of a server that lies (Byzantine).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alter: Option<Alter>,
}

/// Messages in which a value is altered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alter {
    /// The part of them, above 0 and at most 1.
    pub share: f64,
    /// What they are made of.
    pub protocol: Protocol,
    /// Whose messages.
    #[serde(default)]
    pub of: Messages,
}

/// What messages are made of. What is encrypted, compressed or not understood is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1: a letter or a digit of a value in a body that is JSON, or of a text.
    Http,
    /// That of Redis: a sign of a string, the first digit of a number, or a truth value.
    Redis,
    /// That of PostgreSQL: a sign of a value of a row, or of a parameter.
    Postgres,
    /// Any: one byte, whatever it means.
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

/// Messages that break off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The part of them, above 0 and at most 1.
    pub share: f64,
    /// Whose messages.
    #[serde(default)]
    pub of: Messages,
    /// After so many bytes; anywhere when absent. A message that is not longer is left whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How the connection ends, on both sides.
    #[serde(default)]
    pub by: End,
}

/// Whose messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Messages {
    /// What servers answer.
    #[default]
    Replies,
    /// What clients say.
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
    /// In order (FIN), as when a program has.
    Close,
}

impl Default for How {
    fn default() -> How {
        How { lose_replies: 0.1, stall: 0.0, replay: 0.0, delay: None, cut: None, alter: None }
    }
}

impl How {
    /// What the helper is told.
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

    /// In words: `10 % of replies lost`.
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
            return Err("`lose_replies`, `stall` and `replay` are from 0 to 1".into());
        }
        if self.cut.is_some_and(|cut| !(cut.share > 0.0 && cut.share <= 1.0)) {
            return Err("the `share` of a `cut` must be above 0 and at most 1".into());
        }
        if self.alter.is_some_and(|alter| !(alter.share > 0.0 && alter.share <= 1.0)) {
            return Err("the `share` of an `alter` must be above 0 and at most 1".into());
        }
        if self.describe().is_empty() {
            Err("nothing is set that would be done: `lose_replies`, `stall`, `replay`, `delay`, `cut`, `alter`".into())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_understands_what_it_is_told() {
        for yaml in [
            "{stall: 0.5, delay: 3ms}",
            "{cut: {share: 1, of: requests, by: close}}",
            "{replay: 0.1, cut: {share: 0.5, after: 9}}",
            "{alter: {share: 0.1, protocol: postgres, of: requests}}",
        ] {
            let how: How = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(serde_json::from_str::<How>(&serde_json::to_string(&how).unwrap()).unwrap(), how);
            let told = how.settings().to_string();
            assert_eq!(Settings::of_words(&told.split(' ').collect::<Vec<_>>()), Ok(how.settings()));
        }
    }
}
