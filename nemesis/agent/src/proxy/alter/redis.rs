//! Values in the protocol of Redis (RESP 2 and 3).

use super::{Pick, other_byte, other_sign};
use crate::proxy::Side;

/// The longest line that is read: a kind and a number.
const LONGEST: usize = 64;

/// Both sides of a connection.
#[derive(Default)]
pub(super) struct Redis {
    client: Stream,
    server: Stream,
}

impl Redis {
    pub(super) fn hear(&mut self, side: Side, bytes: &mut [u8], pick: &mut Pick) {
        let stream = if side == Side::Client { &mut self.client } else { &mut self.server };
        bytes.iter_mut().for_each(|byte| stream.hear(side, byte, pick));
    }
}

/// What one side says: one thing after the other, of which some announce how many they hold.
#[derive(Default)]
struct Stream {
    state: State,
    /// Whether the next string is the name of a command.
    is_command: bool,
}

#[derive(Default)]
enum State {
    /// Before the kind of a thing.
    #[default]
    Kind,
    /// A line that is a value, and how much of it was heard.
    Value { kind: u8, at: u64 },
    /// A line that says how long a string is, or how many things follow.
    Length { kind: u8, line: Vec<u8> },
    /// A line that is left as it is.
    Line,
    /// A string.
    Text { at: u64, length: u64, is_altered: bool },
    /// The end of a line that ends a string.
    End { left: u8 },
    /// What is not understood.
    Lost,
}

impl Stream {
    fn hear(&mut self, side: Side, byte: &mut u8, pick: &mut Pick) {
        match &mut self.state {
            State::Kind => {
                self.state = match *byte {
                    b':' | b',' | b'(' | b'#' => {
                        pick.begin(1);
                        State::Value { kind: *byte, at: 0 }
                    }
                    b'$' | b'=' | b'!' | b'*' => State::Length { kind: *byte, line: Vec::new() },
                    _ => State::Line,
                };
            }
            State::Value { .. } | State::Line if *byte == b'\n' => self.state = State::Kind,
            State::Value { kind, at } => {
                // Infinities and what is no number are words; the exponent of a number is left.
                let other = match (*kind, *byte) {
                    (b'#', b't') => Some(b'f'),
                    (b'#', b'f') => Some(b't'),
                    (_, b'0'..=b'9') => other_sign(*byte),
                    _ => None,
                };
                pick.offer(*at, byte, other);
                *at += 1;
            }
            State::Length { kind, line } if *byte == b'\n' => {
                let number = std::str::from_utf8(line).ok().and_then(|line| line.trim_end().parse::<i64>().ok());
                self.state = match (*kind, number) {
                    (_, None) => State::Lost,
                    (b'*', Some(_)) => {
                        self.is_command = side == Side::Client;
                        State::Kind
                    }
                    (_, Some(..0)) => State::Kind,
                    (kind, Some(length)) => {
                        let (length, is_altered) = (length.unsigned_abs(), kind == b'$' && !self.is_command);
                        self.is_command = false;
                        if is_altered {
                            pick.begin(length);
                        }
                        if length == 0 { State::End { left: 2 } } else { State::Text { at: 0, length, is_altered } }
                    }
                };
            }
            State::Length { line, .. } if line.len() < LONGEST => line.push(*byte),
            State::Text { at, length, is_altered } => {
                if *is_altered {
                    pick.offer(*at, byte, other_byte(*byte));
                }
                *at += 1;
                if at == length {
                    self.state = State::End { left: 2 };
                }
            }
            State::End { left: 2 } if *byte == b'\r' => self.state = State::End { left: 1 },
            State::End { left: 1 } if *byte == b'\n' => self.state = State::Kind,
            State::Line | State::Lost => {}
            State::Length { .. } | State::End { .. } => self.state = State::Lost,
        }
    }
}
