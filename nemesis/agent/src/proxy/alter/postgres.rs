//! The PostgreSQL protocol: values of rows (`DataRow`) and parameters (`Bind`).

use super::{Choice, replace_byte};
use crate::proxy::Side;

/// The codes of SSLRequest and GSSENCRequest.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Both directions of a connection.
#[derive(Default)]
pub(super) struct Postgres {
    client: Stream,
    server: Stream,
    /// Whether the client has sent its startup message; messages up to it have no type byte.
    has_started: bool,
    /// The number of encryption requests without an answer.
    encryption_requests: u32,
    /// Whether the stream cannot be parsed.
    is_unparsable: bool,
}

/// One direction.
#[derive(Default)]
struct Stream {
    state: State,
}

enum State {
    /// In the head of a message, with the bytes so far.
    Head(Vec<u8>),
    /// In the body of a message.
    Body { at: u64, length: u64, part: Part },
}

impl Default for State {
    fn default() -> State {
        State::Head(Vec::new())
    }
}

/// The current part of a body.
#[derive(Clone, Copy)]
enum Part {
    /// Left alone.
    Opaque,
    /// NUL-terminated strings (this many), followed by the counts of formats and parameters.
    Strings(u8),
    /// A 16-bit count of formats or values.
    Count { number: u16, left: u8, of: Of },
    /// Format codes: this many bytes.
    Formats(u32),
    /// The length of a value; `values` are left.
    Length { number: u32, left: u8, values: u16 },
    /// A value; `values` are left.
    Value { left: u32, is_only: bool, values: u16 },
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    Formats,
    Values,
}

impl Part {
    const VALUES: Part = Part::Count { number: 0, left: 2, of: Of::Values };

    /// The part that follows when this many values are left.
    fn of_values(values: u16) -> Part {
        if values == 0 { Part::Opaque } else { Part::Length { number: 0, left: 4, values } }
    }

    /// The first part of a message's body.
    fn first(side: Side, kind: u8) -> Part {
        match (side, kind) {
            (Side::Server, b'D') => Part::VALUES,
            (Side::Client, b'B') => Part::Strings(2),
            _ => Part::Opaque,
        }
    }

    /// The replacement of the next byte, if any, and the next part.
    fn next(self, byte: u8) -> (Option<u8>, Part) {
        let next = match self {
            Part::Opaque => Part::Opaque,
            Part::Strings(left) => match (byte, left) {
                (0, 0 | 1) => Part::Count { number: 0, left: 2, of: Of::Formats },
                (0, left) => Part::Strings(left - 1),
                _ => self,
            },
            Part::Count { number, left, of } => match (number << 8 | u16::from(byte), left, of) {
                (number, 2.., of) => Part::Count { number, left: left - 1, of },
                (0, _, Of::Formats) => Part::VALUES,
                (number, _, Of::Formats) => Part::Formats(2 * u32::from(number)),
                (values, _, Of::Values) => Part::of_values(values),
            },
            Part::Formats(..=1) => Part::VALUES,
            Part::Formats(left) => Part::Formats(left - 1),
            Part::Length { number, left, values } => match (number << 8 | u32::from(byte), left) {
                (number, 2..) => Part::Length { number, left: left - 1, values },
                // An empty value or NULL.
                (0 | u32::MAX, _) => Part::of_values(values - 1),
                (left, _) => Part::Value { left, is_only: left == 1, values },
            },
            Part::Value { left, is_only, values } => {
                // A boolean is `t` or `f`.
                let other = match byte {
                    b't' if is_only => Some(b'f'),
                    b'f' if is_only => Some(b't'),
                    _ => replace_byte(byte),
                };
                let rest = if left <= 1 { Part::of_values(values - 1) } else { Part::Value { left: left - 1, is_only: false, values } };
                return (other, rest);
            }
        };
        (None, next)
    }
}

impl Postgres {
    pub(super) fn process(&mut self, side: Side, bytes: &mut [u8], choice: &mut Choice) {
        for byte in bytes {
            if self.is_unparsable {
                return;
            }
            self.process_byte(side, byte, choice);
        }
    }

    fn process_byte(&mut self, side: Side, byte: &mut u8, choice: &mut Choice) {
        let stream = if side == Side::Client { &mut self.client } else { &mut self.server };
        match &mut stream.state {
            // The answer to an encryption request is one byte; an encrypted stream cannot be parsed.
            State::Head(head) if side == Side::Server && head.is_empty() && self.encryption_requests > 0 => {
                self.encryption_requests -= 1;
                self.is_unparsable = *byte != b'N';
            }
            State::Head(head) => {
                head.push(*byte);
                // The length includes itself. A message without a type has a code behind its length.
                let is_untyped = side == Side::Client && !self.has_started;
                let (known, counted) = if is_untyped { (8, 8) } else { (5, 4) };
                if head.len() < known {
                    return;
                }
                let number = |at: usize| head[at..at + 4].iter().fold(0u32, |number, &byte| number << 8 | u32::from(byte));
                let (kind, length) = if is_untyped { (0, number(0)) } else { (head[0], number(1)) };
                if is_untyped {
                    let is_for_encryption = ENCRYPTION.contains(&number(4));
                    self.encryption_requests += u32::from(is_for_encryption);
                    self.has_started = !is_for_encryption;
                }
                let Some(length) = length.checked_sub(counted) else {
                    self.is_unparsable = true;
                    return;
                };
                let part = Part::first(side, kind);
                if !matches!(part, Part::Opaque) {
                    choice.begin(length.into());
                }
                stream.state = if length == 0 { State::default() } else { State::Body { at: 0, length: length.into(), part } };
            }
            State::Body { at, length, part } => {
                let (other, next) = part.next(*byte);
                choice.offer(*at, byte, other);
                *part = next;
                *at += 1;
                if at == length {
                    stream.state = State::default();
                }
            }
        }
    }
}
