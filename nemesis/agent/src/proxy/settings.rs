//! The faults of a proxy, as a plan and a command line describe them.

use std::fmt;
use std::time::Duration;

use crate::Result;

/// The faults of a proxy. Fractions are from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The fraction of replies that are lost, together with the connection.
    pub lose_replies: f64,
    /// The fraction of replies at which the connection stalls.
    pub stall: f64,
    /// The fraction of requests that are sent again, on a separate connection.
    pub replay: f64,
    /// The latency of replies.
    pub delay: Duration,
    /// Messages that are cut off.
    pub cut: Option<Cut>,
    /// Messages in which a value is altered.
    pub alter: Option<Alter>,
}

/// Messages in which a value is altered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alter {
    /// The fraction of messages.
    pub share: f64,
    /// The protocol.
    pub protocol: Protocol,
    /// The side whose messages are altered.
    pub of: Side,
}

/// The protocol of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1: JSON and text bodies are altered.
    Http,
    /// Redis: strings, numbers and booleans are altered.
    Redis,
    /// PostgreSQL: values of rows and parameters are altered.
    Postgres,
    /// Any protocol: any byte is altered.
    Bytes,
}

const PROTOCOLS: [(&str, Protocol); 4] =
    [("http", Protocol::Http), ("redis", Protocol::Redis), ("postgres", Protocol::Postgres), ("bytes", Protocol::Bytes)];

impl Protocol {
    /// The protocol's name.
    pub fn name(self) -> &'static str {
        PROTOCOLS.iter().find(|(_, one)| *one == self).map_or("bytes", |(name, _)| name)
    }

    /// Finds a protocol by its name.
    pub fn named(name: &str) -> Option<Protocol> {
        PROTOCOLS.iter().find(|(other, _)| *other == name).map(|(_, one)| *one)
    }
}

/// Messages that are cut off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The fraction of messages.
    pub share: f64,
    /// The side whose messages are cut off.
    pub of: Side,
    /// The number of bytes after which they are cut off; random when None. Messages that are not longer are left whole.
    pub after: Option<u64>,
    /// How the connection ends.
    pub by: End,
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The side that connected.
    Client,
    /// The side that accepted.
    Server,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With RST, as when a machine has crashed.
    Reset,
    /// With FIN, as when a program has exited.
    Close,
}

impl Side {
    /// The name of its messages.
    fn messages(self) -> &'static str {
        if self == Side::Client { "requests" } else { "replies" }
    }

    /// The side whose messages are called so.
    fn of_messages(messages: &str) -> Option<Side> {
        [Side::Client, Side::Server].into_iter().find(|side| side.messages() == messages)
    }
}

impl Settings {
    /// Parses the words of a command line, as [`Settings`] are displayed: pairs of a name and a value; five words for a cut, four for an
    /// alteration.
    ///
    /// # Errors
    /// When the words are not settings.
    pub fn from_words(words: &[&str]) -> Result<Settings> {
        let wrong = || format!("`{}` are not settings of a proxy", words.join(" "));
        let share = |word: &str| word.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(wrong);
        let mut settings = Settings::default();
        let mut rest = words;
        while let [name, value, tail @ ..] = rest {
            rest = tail;
            match *name {
                "lose_replies" => settings.lose_replies = share(value)?,
                "stall" => settings.stall = share(value)?,
                "replay" => settings.replay = share(value)?,
                "delay" => settings.delay = Duration::from_nanos(value.parse().map_err(|_| wrong())?),
                "cut" => {
                    let [of, after, by, tail @ ..] = tail else { return Err(wrong()) };
                    rest = tail;
                    let of = Side::of_messages(of).ok_or_else(wrong)?;
                    let by = match *by {
                        "reset" => End::Reset,
                        "close" => End::Close,
                        _ => return Err(wrong()),
                    };
                    let after = if *after == "anywhere" { None } else { Some(after.parse().map_err(|_| wrong())?) };
                    settings.cut = Some(Cut { share: share(value)?, of, after, by });
                }
                "alter" => {
                    let [protocol, of, tail @ ..] = tail else { return Err(wrong()) };
                    rest = tail;
                    let (protocol, of) = (Protocol::named(protocol).ok_or_else(wrong)?, Side::of_messages(of).ok_or_else(wrong)?);
                    settings.alter = Some(Alter { share: share(value)?, protocol, of });
                }
                _ => return Err(wrong()),
            }
        }
        if rest.is_empty() { Ok(settings) } else { Err(wrong()) }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { lose_replies, stall, replay, delay, cut, alter } = self;
        write!(out, "lose_replies {lose_replies} stall {stall} replay {replay} delay {}", delay.as_nanos())?;
        if let Some(Cut { share, of, after, by }) = cut {
            let by = if *by == End::Reset { "reset" } else { "close" };
            let after = after.map_or_else(|| "anywhere".to_owned(), |bytes| bytes.to_string());
            write!(out, " cut {share} {} {after} {by}", of.messages())?;
        }
        if let Some(Alter { share, protocol, of }) = alter {
            write!(out, " alter {share} {} {}", protocol.name(), of.messages())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_round_trip_through_words() {
        let settings = Settings { lose_replies: 0.1, stall: 0.2, replay: 1.0, delay: Duration::from_millis(3), cut: None, alter: None };
        let cut = |of, after, by| Settings { cut: Some(Cut { share: 0.5, of, after, by }), ..settings.clone() };
        let altering =
            |protocol, of| Settings { alter: Some(Alter { share: 0.05, protocol, of }), ..cut(Side::Client, Some(9), End::Reset) };
        for (name, protocol) in PROTOCOLS {
            assert_eq!((protocol.name(), Protocol::named(name)), (name, Some(protocol)));
            for settings in [altering(protocol, Side::Client), altering(protocol, Side::Server)] {
                assert_eq!(Settings::from_words(&settings.to_string().split(' ').collect::<Vec<_>>()), Ok(settings));
            }
        }
        for settings in [settings.clone(), cut(Side::Client, None, End::Reset), cut(Side::Server, Some(7), End::Close)] {
            let said = settings.to_string();
            assert_eq!(Settings::from_words(&said.split(' ').collect::<Vec<_>>()), Ok(settings));
        }
        for wrong in [
            &["stall"][..],
            &["stall", "2"],
            &["cut", "1", "replies", "x", "reset"],
            &["cut", "1", "replies"],
            &["alter", "1", "smtp", "replies"],
            &["x", "1"],
        ] {
            assert!(Settings::from_words(wrong).is_err(), "{wrong:?}");
        }
    }
}
