//! What is done to connections: as a plan asks it, and a command line says it.

use std::fmt;
use std::time::Duration;

use crate::Result;

/// What is done to connections. Shares are from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// The part of replies that are lost, and the connection with them.
    pub lose_replies: f64,
    /// The part of replies from which on nothing more passes.
    pub stall: f64,
    /// The part of requests that are sent again on a connection of their own.
    pub replay: f64,
    /// How late replies are.
    pub delay: Duration,
    /// Messages that break off.
    pub cut: Option<Cut>,
    /// Messages in which a value is altered.
    pub alter: Option<Alter>,
}

/// Messages in which a value is altered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alter {
    /// The part of them.
    pub share: f64,
    /// What they are made of.
    pub protocol: Protocol,
    /// Whose messages.
    pub of: Side,
}

/// What messages are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1: the bodies are altered that are JSON or text.
    Http,
    /// That of Redis: strings, numbers and truth values are altered.
    Redis,
    /// That of PostgreSQL: values of rows and of parameters are altered.
    Postgres,
    /// Any: any byte is altered.
    Bytes,
}

const PROTOCOLS: [(&str, Protocol); 4] =
    [("http", Protocol::Http), ("redis", Protocol::Redis), ("postgres", Protocol::Postgres), ("bytes", Protocol::Bytes)];

impl Protocol {
    /// Its name.
    pub fn name(self) -> &'static str {
        PROTOCOLS.iter().find(|(_, one)| *one == self).map_or("bytes", |(name, _)| name)
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Protocol> {
        PROTOCOLS.iter().find(|(other, _)| *other == name).map(|(_, one)| *one)
    }
}

/// Messages that break off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// The part of them.
    pub share: f64,
    /// Whose messages.
    pub of: Side,
    /// After so many bytes; anywhere when absent. A message that is not longer is left whole.
    pub after: Option<u64>,
    /// How the connection ends.
    pub by: End,
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who connected.
    Client,
    /// To whom.
    Server,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By a reset, as when a machine has crashed.
    Reset,
    /// In order, as when a program has.
    Close,
}

impl Side {
    /// What its messages are called.
    fn messages(self) -> &'static str {
        if self == Side::Client { "requests" } else { "replies" }
    }

    /// Whose messages are called so.
    fn saying(messages: &str) -> Option<Side> {
        [Side::Client, Side::Server].into_iter().find(|side| side.messages() == messages)
    }
}

impl Settings {
    /// From the words of a command line, as [`Settings`] are displayed: pairs of a name and a value, a cut in five words and an alteration in four.
    ///
    /// # Errors
    /// When they are no settings.
    pub fn of_words(words: &[&str]) -> Result<Settings> {
        let wrong = || format!("`{}` are no settings of a proxy", words.join(" "));
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
                    let of = Side::saying(of).ok_or_else(wrong)?;
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
                    let (protocol, of) = (Protocol::named(protocol).ok_or_else(wrong)?, Side::saying(of).ok_or_else(wrong)?);
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
    fn words_say_all_of_it() {
        let settings = Settings { lose_replies: 0.1, stall: 0.2, replay: 1.0, delay: Duration::from_millis(3), cut: None, alter: None };
        let cut = |of, after, by| Settings { cut: Some(Cut { share: 0.5, of, after, by }), ..settings.clone() };
        let altering =
            |protocol, of| Settings { alter: Some(Alter { share: 0.05, protocol, of }), ..cut(Side::Client, Some(9), End::Reset) };
        for (name, protocol) in PROTOCOLS {
            assert_eq!((protocol.name(), Protocol::named(name)), (name, Some(protocol)));
            for settings in [altering(protocol, Side::Client), altering(protocol, Side::Server)] {
                assert_eq!(Settings::of_words(&settings.to_string().split(' ').collect::<Vec<_>>()), Ok(settings));
            }
        }
        for settings in [settings.clone(), cut(Side::Client, None, End::Reset), cut(Side::Server, Some(7), End::Close)] {
            let said = settings.to_string();
            assert_eq!(Settings::of_words(&said.split(' ').collect::<Vec<_>>()), Ok(settings));
        }
        for wrong in [
            &["stall"][..],
            &["stall", "2"],
            &["cut", "1", "replies", "x", "reset"],
            &["cut", "1", "replies"],
            &["alter", "1", "smtp", "replies"],
            &["x", "1"],
        ] {
            assert!(Settings::of_words(wrong).is_err(), "{wrong:?}");
        }
    }
}
