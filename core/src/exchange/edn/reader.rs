//! EDN tokens and values.

use super::super::scanner::{ByteSet, Scan, Scanner};
use crate::Value;
use crate::value::Float;

static BLANK: ByteSet = ByteSet::of(b" ,\n\r\t\x0b\x0c");
static COMMENT: ByteSet = ByteSet::all_but(b"\n");
/// The bytes of a string that need no escape.
static PLAIN: ByteSet = ByteSet::all_but(b"\"\\");

/// An EDN parser.
pub(in crate::exchange) struct Reader<'t> {
    pub(in crate::exchange) scanner: Scanner<'t>,
}

impl<'t> Reader<'t> {
    pub(in crate::exchange) fn new(text: &'t str) -> Reader<'t> {
        Reader { scanner: Scanner::new(text) }
    }

    /// Skips blanks, commas, comments, discarded data, metadata and tags (their data are parsed as if untagged).
    pub(in crate::exchange) fn skip(&mut self) -> Scan<()> {
        self.skip_in(0)
    }

    fn skip_in(&mut self, depth: usize) -> Scan<()> {
        self.next_mark(depth).map(|_| ())
    }

    /// Like [`Reader::skip`], and returns the next byte.
    #[inline]
    pub(in crate::exchange) fn next_mark(&mut self, depth: usize) -> Scan<Option<u8>> {
        match self.scanner.skip(&BLANK) {
            Some(b';' | b'#' | b'^') => self.skip_rare(depth),
            next => Ok(next),
        }
    }

    #[cold]
    fn skip_rare(&mut self, depth: usize) -> Scan<Option<u8>> {
        self.scanner.check_depth(depth)?;
        loop {
            match (self.scanner.skip(&BLANK), self.scanner.peek_after(1)) {
                (Some(b';'), _) => {
                    self.scanner.skip(&COMMENT);
                }
                (Some(b'#'), Some(b'_')) => {
                    self.scanner.at += 2;
                    self.datum(depth + 1)?;
                }
                // Metadata.
                (Some(b'^'), _) => {
                    self.scanner.at += 1;
                    self.datum(depth + 1)?;
                }
                // A regular expression, or the name of a Clojure variable.
                (Some(b'#'), Some(b'"' | b'\'')) => self.scanner.at += 1,
                (Some(b'#'), Some(next)) if next.is_ascii_alphabetic() => {
                    self.scanner.at += 1;
                    self.scanner.word();
                }
                (next, _) => return Ok(next),
            }
        }
    }

    /// Consumes the opening byte of a vector or list, if one comes next, and returns the closing one.
    pub(in crate::exchange) fn open_sequence(&mut self) -> Scan<Option<u8>> {
        self.skip()?;
        let close = match self.scanner.peek() {
            Some(b'[') => b']',
            Some(b'(') => b')',
            _ => return Ok(None),
        };
        self.scanner.at += 1;
        Ok(Some(close))
    }

    /// Fails because a collection is open at the end of the text.
    pub(in crate::exchange) fn unclosed<T>(&self, close: u8) -> Scan<T> {
        let what = if close == b'}' { "map" } else { "sequence" };
        self.scanner.error(format!("the text ends inside a {what}; expected `{}`", char::from(close)))
    }

    /// Parses the name of a keyword.
    #[inline]
    pub(in crate::exchange) fn keyword(&mut self) -> &'t str {
        self.scanner.at += 1;
        self.scanner.word()
    }

    /// Parses the next datum.
    pub(in crate::exchange) fn value(&mut self) -> Scan<Value> {
        self.datum(0)
    }

    fn datum(&mut self, depth: usize) -> Scan<Value> {
        let mark = self.next_mark(depth)?;
        self.datum_at(mark, depth)
    }

    /// Parses the datum that begins with the next byte.
    #[inline]
    pub(in crate::exchange) fn datum_at(&mut self, mark: Option<u8>, depth: usize) -> Scan<Value> {
        match mark {
            Some(b'0'..=b'9' | b'-') if let Some(number) = self.scanner.short_int() => Ok(Value::Int(number)),
            Some(b':') => Ok(Value::from(self.keyword())),
            Some(b'[') => self.sequence(b']', depth),
            _ => self.other_datum(mark, depth),
        }
    }

    fn other_datum(&mut self, mark: Option<u8>, depth: usize) -> Scan<Value> {
        let start = self.scanner.at;
        match mark {
            Some(b'(') => self.sequence(b')', depth),
            Some(b'{') => self.map(depth),
            Some(b'"') => self.string(),
            Some(b'\\') => self.character(),
            Some(b'#') if self.scanner.peek_after(1) == Some(b'{') => {
                self.scanner.at += 1;
                self.sequence(b'}', depth)
            }
            Some(b'#') if self.scanner.peek_after(1) == Some(b'#') => match self.scanner.word() {
                "##Inf" => Ok(Value::Float(Float::new(f64::INFINITY))),
                "##-Inf" => Ok(Value::Float(Float::new(f64::NEG_INFINITY))),
                "##NaN" => Ok(Value::Float(Float::new(f64::NAN))),
                word => self.scanner.error_at(start, format!("invalid number `{word}`; expected ##Inf, ##-Inf or ##NaN")),
            },
            Some(b'#') => {
                self.scanner.at += 1;
                self.scanner.error("expected a set, a tag or a discard after `#`")
            }
            Some(byte @ (b']' | b')' | b'}')) => self.scanner.error(format!("unmatched `{}`; expected a datum", char::from(byte))),
            Some(_) => self.atom(),
            None => self.scanner.error("the text ends where a datum was expected"),
        }
    }

    fn sequence(&mut self, close: u8, depth: usize) -> Scan<Value> {
        self.scanner.check_depth(depth + 1)?;
        self.scanner.at += 1;
        let mark = self.scanner.elements_mark();
        loop {
            let element = match self.next_mark(depth)? {
                Some(mark) if mark == close => break,
                None => return self.unclosed(close),
                // Most elements are numbers.
                Some(b'0'..=b'9') if let Some(number) = self.scanner.short_int() => Value::Int(number),
                mark => self.datum_at(mark, depth + 1)?,
            };
            self.scanner.push_element(element);
        }
        self.scanner.at += 1;
        Ok(self.scanner.list_since(mark))
    }

    fn map(&mut self, depth: usize) -> Scan<Value> {
        self.scanner.check_depth(depth + 1)?;
        self.scanner.at += 1;
        let mark = self.scanner.pairs_mark();
        loop {
            let key = match self.next_mark(depth)? {
                Some(b'}') => break,
                None => return self.unclosed(b'}'),
                mark => self.datum_at(mark, depth + 1)?,
            };
            let value = self.datum(depth + 1)?;
            self.scanner.push_pair(key, value);
        }
        self.scanner.at += 1;
        Ok(self.scanner.map_since(mark))
    }

    fn string(&mut self) -> Scan<Value> {
        let open = self.scanner.at;
        self.scanner.at += 1;
        let mut plain = self.scanner.at;
        let mut unescaped = String::new();
        loop {
            let mark = self.scanner.skip(&PLAIN);
            let text = self.scanner.since(plain);
            match mark {
                None => return self.scanner.error_at(open, "unterminated string; expected a closing `\"`"),
                Some(b'"') => {
                    self.scanner.at += 1;
                    return Ok(if unescaped.is_empty() { Value::from(text) } else { Value::from(unescaped + text) });
                }
                Some(_) => {
                    self.scanner.at += 1;
                    unescaped.push_str(text);
                    unescaped.push(self.escape()?);
                    plain = self.scanner.at;
                }
            }
        }
    }

    fn escape(&mut self) -> Scan<char> {
        let letter = self.scanner.peek().filter(u8::is_ascii);
        let Some(letter) = letter else { return self.scanner.error("expected a character after `\\`") };
        self.scanner.at += 1;
        Ok(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => match self.unicode() {
                Some(character) => character,
                None => return self.scanner.error("expected four hexadecimal digits after `\\u`"),
            },
            other => char::from(other),
        })
    }

    /// Parses a character of four hexadecimal digits, a surrogate pair, or Rust's notation `\u{e9}`.
    fn unicode(&mut self) -> Option<char> {
        if self.scanner.peek() == Some(b'{') {
            let end = self.scanner.rest().bytes().take(8).position(|byte| byte == b'}')?;
            let code = u32::from_str_radix(self.scanner.rest().get(1..end)?, 16).ok()?;
            self.scanner.at += end + 1;
            return char::from_u32(code);
        }
        self.scanner.utf16()
    }

    fn character(&mut self) -> Scan<Value> {
        self.scanner.at += 1;
        let start = self.scanner.at;
        let Some(first) = self.scanner.rest().chars().next() else { return self.scanner.error("expected a character after `\\`") };
        self.scanner.at += first.len_utf8();
        // A delimiter may be a character too: `\(`.
        self.scanner.word();
        let name = self.scanner.since(start);
        let end = self.scanner.at;
        Ok(match name {
            "newline" => "\n".into(),
            "space" => " ".into(),
            "tab" => "\t".into(),
            "return" => "\r".into(),
            "backspace" => "\u{8}".into(),
            "formfeed" => "\u{c}".into(),
            _ if name.len() == 5 && first == 'u' => {
                self.scanner.at = start + 1;
                let character = self.scanner.hexadecimal(4).and_then(char::from_u32);
                self.scanner.at = end;
                character.map_or_else(|| Value::from(name), Value::text)
            }
            _ => Value::from(name),
        })
    }

    fn atom(&mut self) -> Scan<Value> {
        let start = self.scanner.at;
        let word = self.scanner.word();
        Ok(match word {
            "nil" => Value::Nil,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            // An address in a printed object.
            _ if word.starts_with("0x") => Value::from(word),
            _ if word.trim_start_matches(['+', '-']).starts_with(|first: char| first.is_ascii_digit()) => {
                self.scanner.number(start, word.strip_suffix(['N', 'M']).unwrap_or(word))?
            }
            _ => Value::from(word),
        })
    }
}
