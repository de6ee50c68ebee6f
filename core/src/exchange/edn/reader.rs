//! EDN's tokens and values, with places.

use super::super::SyntaxError;
use crate::Value;
use crate::value::{Float, MAX_DEPTH};

/// Reads EDN from bytes, one datum at a time.
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

type Read<T> = Result<T, SyntaxError>;

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { bytes, at: 0 }
    }

    /// The position of the next byte.
    pub(super) fn place(&self) -> usize {
        self.at
    }

    /// An error at a position. O(position): counts lines.
    pub(super) fn error_at(&self, place: usize, message: impl Into<String>) -> SyntaxError {
        let before = &self.bytes[..place.min(self.bytes.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        // A datum's place is taken before the blanks that precede it.
        let blanks = self.bytes[before.len()..].iter().take_while(|&&byte| byte == b' ' || byte == b',').count();
        SyntaxError {
            line: before.iter().filter(|&&byte| byte == b'\n').count() + 1,
            column: before.len() - line_start + blanks + 1,
            message: message.into(),
        }
    }

    fn error<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(self.error_at(self.at, message))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips blanks, commas, comments, discarded data and the names of tags.
    fn skip(&mut self) -> Read<()> {
        while let Some(byte) = self.peek() {
            match byte {
                b',' => self.at += 1,
                _ if byte.is_ascii_whitespace() => self.at += 1,
                b';' => self.at += self.bytes[self.at..].iter().position(|&byte| byte == b'\n').unwrap_or(self.bytes.len() - self.at),
                b'#' => match self.bytes.get(self.at + 1) {
                    Some(b'_') => {
                        self.at += 2;
                        self.value()?;
                    }
                    Some(next) if next.is_ascii_alphabetic() => {
                        self.at += 1;
                        self.word();
                    }
                    _ => return Ok(()),
                },
                b'^' => {
                    self.at += 1;
                    self.value()?;
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Enters a vector or list, if one comes next, and returns the byte that closes it.
    pub(super) fn open_sequence(&mut self) -> Read<Option<u8>> {
        self.skip()?;
        let close = match self.peek() {
            Some(b'[') => b']',
            Some(b'(') => b')',
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(close))
    }

    /// Enters a map.
    pub(super) fn open_map(&mut self) -> Read<()> {
        self.skip()?;
        if self.peek() != Some(b'{') {
            return self.error("expected an event, a map like {:process 0, :type :invoke, :f :read, :value nil}");
        }
        self.at += 1;
        Ok(())
    }

    /// Whether the collection ends here; if so, leaves it.
    pub(super) fn close(&mut self, close: u8) -> Read<bool> {
        self.skip()?;
        match self.peek() {
            None => self.error(format!(
                "the text ends inside a {}; expected `{}`",
                if close == b'}' { "map" } else { "sequence" },
                close as char
            )),
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Ok(false),
        }
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&mut self) -> Read<bool> {
        self.skip()?;
        Ok(self.peek().is_none())
    }

    /// Refuses anything that is left.
    pub(super) fn expect_end(&mut self) -> Read<()> {
        if self.at_end()? { Ok(()) } else { self.error("the history ended before this; expected nothing more") }
    }

    /// The next datum.
    pub(super) fn value(&mut self) -> Read<Value> {
        self.datum(0)
    }

    fn datum(&mut self, depth: usize) -> Read<Value> {
        if depth > MAX_DEPTH {
            return self.error(format!("data nest deeper than {MAX_DEPTH} levels here"));
        }
        self.skip_tagged(depth)?;
        match self.peek() {
            None => self.error("the text ends where a datum was expected"),
            Some(b'[') => self.sequence(b']', 1, depth),
            Some(b'(') => self.sequence(b')', 1, depth),
            Some(b'#') if self.bytes.get(self.at + 1) == Some(&b'{') => self.sequence(b'}', 2, depth),
            Some(b'#') => {
                self.at += 1;
                self.error("expected a set, a tag or a discard after `#`")
            }
            Some(b'{') => self.map(depth),
            Some(b'"') => self.string(),
            Some(b':') => {
                self.at += 1;
                Ok(Value::from(self.word()))
            }
            Some(b'\\') => {
                self.at += 1;
                let start = self.at;
                self.at += 1;
                self.word();
                Ok(Value::from(String::from_utf8_lossy(&self.bytes[start.min(self.bytes.len())..self.at.min(self.bytes.len())]).as_ref()))
            }
            Some(byte @ (b']' | b')' | b'}')) => self.error(format!("`{}` closes nothing; expected a datum", byte as char)),
            Some(_) => self.atom(),
        }
    }

    /// As [`Reader::skip`], but a discard inside deep data counts its depth too.
    fn skip_tagged(&mut self, depth: usize) -> Read<()> {
        loop {
            let before = self.at;
            match (self.peek(), self.bytes.get(self.at + 1)) {
                (Some(b'#'), Some(b'_')) => {
                    self.at += 2;
                    self.datum(depth + 1)?;
                }
                (Some(b'^'), _) => {
                    self.at += 1;
                    self.datum(depth + 1)?;
                }
                (Some(b'#'), Some(next)) if next.is_ascii_alphabetic() => {
                    self.at += 1;
                    self.word();
                }
                (Some(b';' | b','), _) => self.skip()?,
                (Some(byte), _) if byte.is_ascii_whitespace() => self.at += 1,
                _ => {}
            }
            if self.at == before {
                return Ok(());
            }
        }
    }

    fn sequence(&mut self, close: u8, opening: usize, depth: usize) -> Read<Value> {
        self.at += opening;
        let mut items = Vec::new();
        loop {
            self.skip_tagged(depth)?;
            if self.close(close)? {
                return Ok(Value::List(items));
            }
            items.push(self.datum(depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Read<Value> {
        self.at += 1;
        let mut pairs = Vec::new();
        loop {
            self.skip_tagged(depth)?;
            if self.close(b'}')? {
                return Ok(Value::Map(pairs));
            }
            let key = self.datum(depth + 1)?;
            pairs.push((key, self.datum(depth + 1)?));
        }
    }

    fn string(&mut self) -> Read<Value> {
        let start = self.at;
        self.at += 1;
        let mut text = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.error_at(start, "this string never ends; expected a closing `\"`")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Value::from(String::from_utf8_lossy(&text).as_ref()));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.extend(self.escape()?.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            // Rust writes U+00E9 as \u{e9}; EDN writes \u00e9.
            Some(b'u') => {
                let rest = &self.bytes[self.at.min(self.bytes.len())..];
                let (digits, length) = match rest.first() {
                    Some(b'{') => {
                        let end = rest.iter().take(9).position(|&byte| byte == b'}').unwrap_or(1);
                        (&rest[1..end.max(1)], end + 1)
                    }
                    _ => (&rest[..rest.len().min(4)], 4),
                };
                let code = std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some(character) = code.and_then(char::from_u32) else {
                    return self.error("expected four hexadecimal digits after `\\u`");
                };
                self.at += length;
                character
            }
            Some(byte) if byte.is_ascii() => byte as char,
            _ => return self.error("expected a character after `\\`"),
        })
    }

    fn word(&mut self) -> &'b str {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        let length = rest.iter().position(|&byte| byte.is_ascii_whitespace() || b",;\"()[]{}".contains(&byte)).unwrap_or(rest.len());
        self.at += length;
        std::str::from_utf8(&rest[..length]).unwrap_or("\u{fffd}")
    }

    fn atom(&mut self) -> Read<Value> {
        let start = self.at;
        let word = self.word();
        Ok(match word {
            "nil" => Value::Nil,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => {
                let digits = word.trim_start_matches(['+', '-']);
                if !digits.starts_with(|first: char| first.is_ascii_digit()) {
                    return Ok(Value::from(word));
                }
                let number = word.trim_end_matches(['N', 'M']);
                match (number.parse::<i64>(), number.parse::<f64>()) {
                    (Ok(number), _) => Value::Int(number),
                    (_, Ok(_)) if !number.contains(['.', 'e', 'E']) => {
                        return Err(self.error_at(start, format!("{word} does not fit a signed 64-bit integer")));
                    }
                    (_, Ok(number)) => Value::Float(Float::new(number)),
                    _ => return Err(self.error_at(start, format!("`{word}` is no number"))),
                }
            }
        })
    }
}
