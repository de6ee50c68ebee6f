//! The Redis protocol (RESP 2 and 3).

use super::{Choice, replace_byte, replace_char};
use crate::proxy::Side;

/// The longest length line that is parsed, in bytes.
const MAX_LINE: usize = 64;

/// Both directions of a connection.
#[derive(Default)]
pub(super) struct Redis {
    client: Stream,
    server: Stream,
}

impl Redis {
    pub(super) fn process(&mut self, side: Side, bytes: &mut [u8], choice: &mut Choice) {
        let stream = if side == Side::Client { &mut self.client } else { &mut self.server };
        bytes.iter_mut().for_each(|byte| stream.process(side, byte, choice));
    }
}

/// One direction: a flat sequence of elements; aggregates only announce how many follow.
#[derive(Default)]
struct Stream {
    state: State,
    /// Whether the next string is a command's name.
    is_command: bool,
}

#[derive(Default)]
enum State {
    /// Before the type byte of an element.
    #[default]
    Kind,
    /// In a line that is a value, at this offset.
    Value { kind: u8, at: u64 },
    /// In a line with the length of a string or aggregate.
    Length { kind: u8, line: Vec<u8> },
    /// In a line that is left alone.
    Line,
    /// In a string.
    Text { at: u64, length: u64, is_altered: bool },
    /// In the line end after a string.
    End { left: u8 },
    /// The stream cannot be parsed.
    Unparsable,
}

impl Stream {
    fn process(&mut self, side: Side, byte: &mut u8, choice: &mut Choice) {
        match &mut self.state {
            State::Kind => {
                self.state = match *byte {
                    b':' | b',' | b'(' | b'#' => {
                        choice.begin(1);
                        State::Value { kind: *byte, at: 0 }
                    }
                    b'$' | b'=' | b'!' | b'*' => State::Length { kind: *byte, line: Vec::new() },
                    _ => State::Line,
                };
            }
            State::Value { .. } | State::Line if *byte == b'\n' => self.state = State::Kind,
            State::Value { kind, at } => {
                // Infinities and NaN are words, and exponents are left alone.
                let other = match (*kind, *byte) {
                    (b'#', b't') => Some(b'f'),
                    (b'#', b'f') => Some(b't'),
                    (_, b'0'..=b'9') => replace_char(*byte),
                    _ => None,
                };
                choice.offer(*at, byte, other);
                *at += 1;
            }
            State::Length { kind, line } if *byte == b'\n' => {
                let number = std::str::from_utf8(line).ok().and_then(|line| line.trim_end().parse::<i64>().ok());
                self.state = match (*kind, number) {
                    (_, None) => State::Unparsable,
                    (b'*', Some(_)) => {
                        self.is_command = side == Side::Client;
                        State::Kind
                    }
                    (_, Some(..0)) => State::Kind,
                    (kind, Some(length)) => {
                        let (length, is_altered) = (length.unsigned_abs(), kind == b'$' && !self.is_command);
                        self.is_command = false;
                        if is_altered {
                            choice.begin(length);
                        }
                        if length == 0 { State::End { left: 2 } } else { State::Text { at: 0, length, is_altered } }
                    }
                };
            }
            State::Length { line, .. } if line.len() < MAX_LINE => line.push(*byte),
            State::Text { at, length, is_altered } => {
                if *is_altered {
                    choice.offer(*at, byte, replace_byte(*byte));
                }
                *at += 1;
                if at == length {
                    self.state = State::End { left: 2 };
                }
            }
            State::End { left: 2 } if *byte == b'\r' => self.state = State::End { left: 1 },
            State::End { left: 1 } if *byte == b'\n' => self.state = State::Kind,
            State::Line | State::Unparsable => {}
            State::Length { .. } | State::End { .. } => self.state = State::Unparsable,
        }
    }
}
