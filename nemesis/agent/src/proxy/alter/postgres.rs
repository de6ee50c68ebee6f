//! Values in PostgreSQL's protocol: of rows (`DataRow`), and of parameters (`Bind`).

use super::{Pick, other_byte};
use crate::proxy::Side;

/// What a client asks for instead of beginning: to speak encrypted.
const ENCRYPTION: [u32; 2] = [80_877_103, 80_877_104];

/// Both sides of a connection.
#[derive(Default)]
pub(super) struct Postgres {
    client: Stream,
    server: Stream,
    /// Whether the client, who begins with messages that have no kind, has begun.
    has_begun: bool,
    /// How often encryption was asked for and not answered.
    asked: u32,
    /// Whether something was said that is not understood.
    is_lost: bool,
}

/// What one side says.
#[derive(Default)]
struct Stream {
    state: State,
}

enum State {
    /// Before a message or in its head: what is known of it.
    Head(Vec<u8>),
    /// In the body of a message.
    Body { at: u64, length: u64, part: Part },
}

impl Default for State {
    fn default() -> State {
        State::Head(Vec::new())
    }
}

/// A part of a body.
#[derive(Clone, Copy)]
enum Part {
    /// What is left as it is.
    Rest,
    /// So many strings that end with a zero, and then two numbers, of formats and of parameters.
    Names(u8),
    /// A number of two bytes: how many formats follow, or how many values.
    Count { number: u16, left: u8, of: Of },
    /// So many bytes of formats.
    Formats(u32),
    /// The length of a value, of so many.
    Length { number: u32, left: u8, values: u16 },
    /// A value, of so many.
    Value { left: u32, is_only: bool, values: u16 },
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    Formats,
    Values,
}

impl Part {
    const VALUES: Part = Part::Count { number: 0, left: 2, of: Of::Values };

    /// What comes where so many values are left.
    fn of_values(values: u16) -> Part {
        if values == 0 { Part::Rest } else { Part::Length { number: 0, left: 4, values } }
    }

    /// With which the body of a message begins.
    fn first(side: Side, kind: u8) -> Part {
        match (side, kind) {
            (Side::Server, b'D') => Part::VALUES,
            (Side::Client, b'B') => Part::Names(2),
            _ => Part::Rest,
        }
    }

    /// What the next byte may become, and what comes then.
    fn next(self, byte: u8) -> (Option<u8>, Part) {
        let next = match self {
            Part::Rest => Part::Rest,
            Part::Names(left) => match (byte, left) {
                (0, 0 | 1) => Part::Count { number: 0, left: 2, of: Of::Formats },
                (0, left) => Part::Names(left - 1),
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
                // It is empty, or null.
                (0 | u32::MAX, _) => Part::of_values(values - 1),
                (left, _) => Part::Value { left, is_only: left == 1, values },
            },
            Part::Value { left, is_only, values } => {
                // A truth value is `t` or `f`.
                let other = match byte {
                    b't' if is_only => Some(b'f'),
                    b'f' if is_only => Some(b't'),
                    _ => other_byte(byte),
                };
                let rest = if left <= 1 { Part::of_values(values - 1) } else { Part::Value { left: left - 1, is_only: false, values } };
                return (other, rest);
            }
        };
        (None, next)
    }
}

impl Postgres {
    pub(super) fn hear(&mut self, side: Side, bytes: &mut [u8], pick: &mut Pick) {
        for byte in bytes {
            if self.is_lost {
                return;
            }
            self.hear_byte(side, byte, pick);
        }
    }

    fn hear_byte(&mut self, side: Side, byte: &mut u8, pick: &mut Pick) {
        let stream = if side == Side::Client { &mut self.client } else { &mut self.server };
        match &mut stream.state {
            // The answer to who asks for encryption is one byte; what is encrypted is not understood.
            State::Head(head) if side == Side::Server && head.is_empty() && self.asked > 0 => {
                self.asked -= 1;
                self.is_lost = *byte != b'N';
            }
            State::Head(head) => {
                head.push(*byte);
                // A length counts itself; a message that has no kind says then what it is.
                let is_bare = side == Side::Client && !self.has_begun;
                let (known, counted) = if is_bare { (8, 8) } else { (5, 4) };
                if head.len() < known {
                    return;
                }
                let number = |at: usize| head[at..at + 4].iter().fold(0u32, |number, &byte| number << 8 | u32::from(byte));
                let (kind, length) = if is_bare { (0, number(0)) } else { (head[0], number(1)) };
                if is_bare {
                    let is_for_encryption = ENCRYPTION.contains(&number(4));
                    self.asked += u32::from(is_for_encryption);
                    self.has_begun = !is_for_encryption;
                }
                let Some(length) = length.checked_sub(counted) else {
                    self.is_lost = true;
                    return;
                };
                let part = Part::first(side, kind);
                if !matches!(part, Part::Rest) {
                    pick.begin(length.into());
                }
                stream.state = if length == 0 { State::default() } else { State::Body { at: 0, length: length.into(), part } };
            }
            State::Body { at, length, part } => {
                let (other, next) = part.next(*byte);
                pick.offer(*at, byte, other);
                *part = next;
                *at += 1;
                if at == length {
                    stream.state = State::default();
                }
            }
        }
    }
}
