//! The scanner shared by all text formats: a position in a text, and values under construction.

use crate::Value;
use crate::value::{Float, MAX_DEPTH};

/// A syntax error at a byte position of the text.
#[derive(Debug)]
pub(super) struct ScanError {
    pub(super) at: usize,
    pub(super) message: String,
}

/// The result of scanning. The error is boxed because it is rare and results are returned millions of times.
pub(super) type Scan<T> = Result<T, Box<ScanError>>;

/// A position in a text.
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// The position of the next byte.
    pub(super) at: usize,
    /// The start of the current event.
    pub(super) event_start: usize,
    /// The elements of all open lists, innermost last, so that each list is allocated once, at its final size.
    elements: Vec<Value>,
    /// The pairs of all open maps, likewise.
    pairs: Vec<(Value, Value)>,
}

/// A set of bytes.
pub(super) struct ByteSet([bool; 256]);

impl ByteSet {
    pub(super) const fn of(members: &[u8]) -> ByteSet {
        let mut table = [false; 256];
        let mut i = 0;
        while i < members.len() {
            table[members[i] as usize] = true;
            i += 1;
        }
        ByteSet(table)
    }

    pub(super) const fn all_but(others: &[u8]) -> ByteSet {
        let ByteSet(mut table) = ByteSet::of(others);
        let mut i = 0;
        while i < table.len() {
            table[i] = !table[i];
            i += 1;
        }
        ByteSet(table)
    }

    #[inline]
    pub(super) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }
}

/// The bytes of EDN words and numbers: all but delimiters. These also delimit numbers in JSON.
static WORD: ByteSet = ByteSet::all_but(b" \t\n\r\x0b\x0c,;\"()[]{}");

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, at: 0, event_start: 0, elements: Vec::new(), pairs: Vec::new() }
    }

    /// Continues at a position of another text, usually the same one cut elsewhere. Drops values left unfinished by an error.
    pub(super) fn enter(&mut self, text: &'t str, at: usize) {
        (self.text, self.at) = (text, at);
        self.elements.clear();
        self.pairs.clear();
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Returns the next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_after(0)
    }

    /// Returns the byte that many after the next.
    #[inline]
    pub(super) fn peek_after(&self, bytes: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + bytes).copied()
    }

    /// Consumes the next byte if it is this one.
    #[inline]
    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Skips all bytes of a set, and returns the next byte.
    #[inline]
    pub(super) fn skip(&mut self, bytes: &ByteSet) -> Option<u8> {
        let text = self.text.as_bytes();
        let mut at = self.at;
        let next = loop {
            match text.get(at) {
                Some(&byte) if bytes.has(byte) => at += 1,
                next => break next.copied(),
            }
        };
        self.at = at;
        next
    }

    /// Returns the text from a position to the current one.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Returns the text from the current position to the end.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Consumes the text up to the next delimiter.
    #[inline]
    pub(super) fn word(&mut self) -> &'t str {
        let start = self.at;
        self.skip(&WORD);
        self.since(start)
    }

    /// Consumes an integer of at most 18 digits that is followed by a delimiter, if one comes next.
    #[inline]
    pub(super) fn short_int(&mut self) -> Option<i64> {
        let bytes = self.text.as_bytes();
        let is_negative = self.peek() == Some(b'-');
        let start = self.at + usize::from(is_negative);
        let mut end = start;
        let mut number = 0i64;
        while let Some(byte @ b'0'..=b'9') = bytes.get(end) {
            number = number.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
            end += 1;
        }
        let is_whole = (1..=18).contains(&(end - start)) && bytes.get(end).is_none_or(|&byte| !WORD.has(byte));
        if !is_whole {
            return None;
        }
        self.at = end;
        Some(if is_negative { -number } else { number })
    }

    /// Parses any decimal number that begins at `start`.
    pub(super) fn number(&self, start: usize, word: &str) -> Scan<Value> {
        match (word.parse::<i64>(), word.parse::<f64>()) {
            (Ok(number), _) => Ok(Value::Int(number)),
            (_, Ok(_)) if !word.contains(['.', 'e', 'E']) => self.error_at(start, format!("{word} does not fit a signed 64-bit integer")),
            (_, Ok(number)) => Ok(Value::Float(Float::new(number))),
            _ => self.error_at(start, format!("invalid number `{word}`; expected for example 12, -3 or 0.5")),
        }
    }

    /// Consumes a code point of `length` hexadecimal digits.
    pub(super) fn hexadecimal(&mut self, length: usize) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + length)?;
        let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())??;
        self.at += length;
        Some(code)
    }

    /// Consumes a character of four hexadecimal digits, or a UTF-16 surrogate pair `XXXX\uXXXX`.
    pub(super) fn utf16(&mut self) -> Option<char> {
        let first = self.hexadecimal(4)?;
        if !(0xd800..0xdc00).contains(&first) || !self.rest().starts_with("\\u") {
            return char::from_u32(first);
        }
        self.at += 2;
        let second = self.hexadecimal(4)?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
    }

    /// Fails if a nesting depth exceeds [`MAX_DEPTH`].
    #[inline]
    pub(super) fn check_depth(&self, depth: usize) -> Scan<()> {
        if depth > MAX_DEPTH { self.error(format!("data is nested deeper than {MAX_DEPTH} levels")) } else { Ok(()) }
    }

    /// Returns the number of pending elements, the mark for [`Scanner::list_since`].
    #[inline]
    pub(super) fn elements_mark(&self) -> usize {
        self.elements.len()
    }

    /// Adds an element to the innermost open list.
    #[inline]
    pub(super) fn push_element(&mut self, value: Value) {
        self.elements.push(value);
    }

    /// Returns the list of all elements that were pushed since a mark.
    #[inline]
    pub(super) fn list_since(&mut self, mark: usize) -> Value {
        Value::List(self.elements.split_off(mark))
    }

    /// Returns the number of pending pairs, the mark for [`Scanner::map_since`].
    pub(super) fn pairs_mark(&self) -> usize {
        self.pairs.len()
    }

    /// Adds a pair to the innermost open map.
    pub(super) fn push_pair(&mut self, key: Value, value: Value) {
        self.pairs.push((key, value));
    }

    /// Returns the map of all pairs that were pushed since a mark.
    pub(super) fn map_since(&mut self, mark: usize) -> Value {
        Value::Map(self.pairs.split_off(mark).into())
    }

    /// Fails at the current position.
    pub(super) fn error<T>(&self, message: impl Into<String>) -> Scan<T> {
        self.error_at(self.at.min(self.text.len()), message)
    }

    /// Fails at a position.
    #[cold]
    pub(super) fn error_at<T>(&self, at: usize, message: impl Into<String>) -> Scan<T> {
        Err(Box::new(ScanError { at, message: message.into() }))
    }
}
