//! JSON tokens and values.

use std::borrow::Cow;

use super::super::scanner::{ByteSet, Scan, Scanner};
use crate::Value;

static BLANK: ByteSet = ByteSet::of(b" \n\r\t");
/// The bytes of a string that need no escape.
static PLAIN: ByteSet = ByteSet::all_but(
    b"\"\\\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
);

/// A JSON parser.
pub(in crate::exchange) struct JsonReader<'t> {
    pub(super) scanner: Scanner<'t>,
}

impl<'t> JsonReader<'t> {
    pub(in crate::exchange) fn new(text: &'t str) -> JsonReader<'t> {
        JsonReader { scanner: Scanner::new(text) }
    }

    /// Skips blanks and returns the next byte.
    #[inline]
    pub(super) fn next_mark(&mut self) -> Option<u8> {
        self.scanner.skip(&BLANK)
    }

    /// Parses the next value.
    pub(super) fn value(&mut self, depth: usize) -> Scan<Value> {
        let start = self.scanner.at;
        match self.scanner.peek() {
            Some(b'"') => Ok(match self.string()? {
                Cow::Borrowed(text) => Value::from(text),
                Cow::Owned(text) => Value::from(text),
            }),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            Some(b'0'..=b'9' | b'-') => match self.scanner.short_int() {
                Some(number) => Ok(Value::Int(number)),
                None => {
                    let word = self.scanner.word();
                    self.scanner.number(start, word)
                }
            },
            Some(b't' | b'f' | b'n') => match self.scanner.word() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "null" => Ok(Value::Nil),
                word => self.scanner.error_at(start, format!("invalid value `{word}`; expected true, false or null")),
            },
            None => self.scanner.error("the text ends where a value was expected"),
            Some(_) => self.scanner.error("expected a value: an object, an array, a string, a number, true, false or null"),
        }
    }

    fn array(&mut self, depth: usize) -> Scan<Value> {
        self.scanner.check_depth(depth + 1)?;
        self.scanner.at += 1;
        let mark = self.scanner.elements_mark();
        if self.next_mark() == Some(b']') {
            self.scanner.at += 1;
        } else {
            loop {
                self.next_mark();
                let element = self.value(depth + 1)?;
                self.scanner.push_element(element);
                if self.is_closed_by(b']', "an array")? {
                    break;
                }
            }
        }
        Ok(self.scanner.list_since(mark))
    }

    fn object(&mut self, depth: usize) -> Scan<Value> {
        self.scanner.check_depth(depth + 1)?;
        self.scanner.at += 1;
        let mark = self.scanner.pairs_mark();
        if self.next_mark() == Some(b'}') {
            self.scanner.at += 1;
        } else {
            loop {
                let name = self.name()?;
                let value = self.value(depth + 1)?;
                self.scanner.push_pair(Value::from(name.as_ref()), value);
                if self.is_closed_by(b'}', "an object")? {
                    break;
                }
            }
        }
        Ok(self.scanner.map_since(mark))
    }

    /// Parses a name in an object and the colon after it.
    pub(super) fn name(&mut self) -> Scan<Cow<'t, str>> {
        if self.next_mark() != Some(b'"') {
            return self.unexpected("an object", "expected a name in quotes");
        }
        let name = self.string()?;
        if self.next_mark() != Some(b':') {
            return self.unexpected("an object", "expected `:` after the name");
        }
        self.scanner.at += 1;
        self.next_mark();
        Ok(name)
    }

    /// Consumes a comma or the closing byte after an element; returns whether the collection ends.
    pub(super) fn is_closed_by(&mut self, close: u8, what: &str) -> Scan<bool> {
        match self.next_mark() {
            Some(mark) if mark == b',' || mark == close => {
                self.scanner.at += 1;
                Ok(mark == close)
            }
            _ => self.unexpected(what, &format!("expected `,` or `{}`", char::from(close))),
        }
    }

    fn unexpected<T>(&self, within: &str, expected: &str) -> Scan<T> {
        match self.scanner.peek() {
            Some(_) => self.scanner.error(expected),
            None => self.scanner.error(format!("the text ends inside {within}; {expected}")),
        }
    }

    fn string(&mut self) -> Scan<Cow<'t, str>> {
        let open = self.scanner.at;
        self.scanner.at += 1;
        let mut plain = self.scanner.at;
        let mut unescaped = String::new();
        loop {
            let mark = self.scanner.skip(&PLAIN);
            let text = self.scanner.since(plain);
            match mark {
                Some(b'"') => {
                    self.scanner.at += 1;
                    return Ok(if unescaped.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(unescaped + text) });
                }
                Some(b'\\') => {
                    self.scanner.at += 1;
                    unescaped.push_str(text);
                    unescaped.push(self.escape()?);
                    plain = self.scanner.at;
                }
                None | Some(b'\n') => return self.scanner.error_at(open, "unterminated string; expected a closing `\"`"),
                Some(_) => return self.scanner.error("unescaped control character in a string; expected an escape like `\\u0000`"),
            }
        }
    }

    fn escape(&mut self) -> Scan<char> {
        let letter = self.scanner.peek().filter(u8::is_ascii);
        let Some(letter) = letter else { return self.scanner.error("expected a character after `\\`") };
        self.scanner.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => match self.scanner.utf16() {
                Some(character) => character,
                None => return self.scanner.error("expected four hexadecimal digits after `\\u`"),
            },
            other => return self.scanner.error(format!("invalid escape `\\{}`", char::from(other))),
        })
    }
}
