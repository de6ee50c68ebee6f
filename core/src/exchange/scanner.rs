//! What the readers of all text formats share: a place in a text, and values under construction.

use crate::Value;
use crate::value::{Float, MAX_DEPTH};

/// What breaks a format, at a position of the text that is being read.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

/// What was read. The fault is boxed, for it is rare and results are returned millions of times.
pub(super) type Scan<T> = Result<T, Box<Fault>>;

/// A place in a text.
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// The position of the next byte.
    pub(super) at: usize,
    /// Where the event that is being read begins.
    pub(super) event_start: usize,
    /// The elements of all lists that are open, innermost last: a list is allocated once, at its final size.
    elements: Vec<Value>,
    /// Likewise the pairs of all maps.
    pairs: Vec<(Value, Value)>,
}

/// A set of bytes.
pub(super) struct Bytes([bool; 256]);

impl Bytes {
    pub(super) const fn of(members: &[u8]) -> Bytes {
        let mut table = [false; 256];
        let mut i = 0;
        while i < members.len() {
            table[members[i] as usize] = true;
            i += 1;
        }
        Bytes(table)
    }

    pub(super) const fn all_but(others: &[u8]) -> Bytes {
        let Bytes(mut table) = Bytes::of(others);
        let mut i = 0;
        while i < table.len() {
            table[i] = !table[i];
            i += 1;
        }
        Bytes(table)
    }

    #[inline]
    pub(super) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }
}

/// What words and numbers in EDN consist of: all but what ends them. In JSON, what may follow a number is not among them either.
static WORD: Bytes = Bytes::all_but(b" \t\n\r\x0b\x0c,;\"()[]{}");

impl<'t> Scanner<'t> {
    pub(super) fn new(text: &'t str) -> Scanner<'t> {
        Scanner { text, at: 0, event_start: 0, elements: Vec::new(), pairs: Vec::new() }
    }

    /// Goes on in another text, which is most often the same, cut elsewhere. What a fault left unfinished is dropped.
    pub(super) fn enter(&mut self, text: &'t str, at: usize) {
        (self.text, self.at) = (text, at);
        self.elements.clear();
        self.pairs.clear();
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// The next byte.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_after(0)
    }

    /// The byte that many after the next.
    #[inline]
    pub(super) fn peek_after(&self, bytes: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + bytes).copied()
    }

    /// Goes past the next byte if it is this one.
    #[inline]
    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes past all bytes of a set, and gives the next one.
    #[inline]
    pub(super) fn skip(&mut self, bytes: &Bytes) -> Option<u8> {
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

    /// The text from a position to here.
    #[inline]
    pub(super) fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The text from here to the end.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The text up to the next delimiter.
    #[inline]
    pub(super) fn word(&mut self) -> &'t str {
        let start = self.at;
        self.skip(&WORD);
        self.since(start)
    }

    /// A whole number of at most 18 digits, if one comes next and a delimiter after it.
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

    /// Any number written with decimal digits; `start` is where it begins.
    pub(super) fn number(&self, start: usize, word: &str) -> Scan<Value> {
        match (word.parse::<i64>(), word.parse::<f64>()) {
            (Ok(number), _) => Ok(Value::Int(number)),
            (_, Ok(_)) if !word.contains(['.', 'e', 'E']) => {
                self.fault_at(start, format!("{word} does not fit a signed 64-bit integer, the largest numbers that can be judged"))
            }
            (_, Ok(number)) => Ok(Value::Float(Float::new(number))),
            _ => self.fault_at(start, format!("`{word}` is no number; expected one like 12, -3 or 0.5")),
        }
    }

    /// The character of `length` hexadecimal digits, which it goes past.
    pub(super) fn hexadecimal(&mut self, length: usize) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + length)?;
        let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())??;
        self.at += length;
        Some(code)
    }

    /// The character of four hexadecimal digits, or of two times four with `\u` between them where the first are half of a pair.
    pub(super) fn utf16(&mut self) -> Option<char> {
        let first = self.hexadecimal(4)?;
        if !(0xd800..0xdc00).contains(&first) || !self.rest().starts_with("\\u") {
            return char::from_u32(first);
        }
        self.at += 2;
        let second = self.hexadecimal(4)?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
    }

    /// Refuses to nest deeper than [`MAX_DEPTH`].
    #[inline]
    pub(super) fn check_depth(&self, depth: usize) -> Scan<()> {
        if depth > MAX_DEPTH { self.fault(format!("data nest deeper than {MAX_DEPTH} levels here")) } else { Ok(()) }
    }

    /// How many elements wait: what [`Scanner::list_since`] shall be told.
    #[inline]
    pub(super) fn elements_waiting(&self) -> usize {
        self.elements.len()
    }

    /// An element of the innermost open list.
    #[inline]
    pub(super) fn push_element(&mut self, value: Value) {
        self.elements.push(value);
    }

    /// The list of all elements that were pushed since as many waited.
    #[inline]
    pub(super) fn list_since(&mut self, waiting: usize) -> Value {
        Value::List(self.elements.split_off(waiting))
    }

    /// How many pairs wait: what [`Scanner::map_since`] shall be told.
    pub(super) fn pairs_waiting(&self) -> usize {
        self.pairs.len()
    }

    /// A pair of the innermost open map.
    pub(super) fn push_pair(&mut self, key: Value, value: Value) {
        self.pairs.push((key, value));
    }

    /// The map of all pairs that were pushed since as many waited.
    pub(super) fn map_since(&mut self, waiting: usize) -> Value {
        Value::Map(self.pairs.split_off(waiting).into())
    }

    /// A fault here.
    pub(super) fn fault<T>(&self, message: impl Into<String>) -> Scan<T> {
        self.fault_at(self.at.min(self.text.len()), message)
    }

    /// A fault at a position.
    #[cold]
    pub(super) fn fault_at<T>(&self, at: usize, message: impl Into<String>) -> Scan<T> {
        Err(Box::new(Fault { at, message: message.into() }))
    }
}
