//! Finding values in JSON.

use super::replace_char;

/// The greatest nesting depth at which values are altered.
const MAX_DEPTH: u32 = u128::BITS;

/// A JSON parser that takes one byte at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Json {
    /// The nesting depth, and which levels are objects: the innermost in the lowest bit.
    depth: u32,
    objects: u128,
    /// Whether a string would be a member's name.
    is_name: bool,
    string: Option<Text>,
}

/// The state inside a string.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    at: u64,
    /// How many bytes of an escape sequence follow, after its kind.
    escaped: u8,
    is_kind_next: bool,
}

impl Json {
    /// The replacement of the next byte if it belongs to a value: a letter or digit of a string, or a digit of a number.
    ///
    /// In strings only every fourth character, because the last characters of base64 are restricted.
    pub(super) fn replacement(&mut self, byte: u8) -> Option<u8> {
        if let Some(text) = &mut self.string {
            let at = text.at;
            text.at += 1;
            if text.is_kind_next {
                (text.is_kind_next, text.escaped) = (false, if byte == b'u' { 4 } else { 0 });
                return None;
            }
            if text.escaped > 0 {
                text.escaped -= 1;
                return None;
            }
            match byte {
                b'"' => self.string = None,
                b'\\' => text.is_kind_next = true,
                _ if !self.is_name && self.depth <= MAX_DEPTH && at % 4 == 0 => return replace_char(byte),
                _ => {}
            }
            return None;
        }
        match byte {
            b'"' => self.string = Some(Text::default()),
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.is_name = byte == b'{';
                self.objects = self.objects << 1 | u128::from(self.is_name);
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                (self.is_name, self.objects) = (false, self.objects >> 1);
            }
            b',' => self.is_name = self.objects & 1 == 1,
            b':' => self.is_name = false,
            b'0'..=b'9' if self.depth <= MAX_DEPTH => return replace_char(byte),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text in which every alterable byte is altered.
    fn altered(text: &str) -> String {
        let mut json = Json::default();
        text.bytes().map(|byte| char::from(json.replacement(byte).unwrap_or(byte))).collect()
    }

    #[test]
    fn values_are_altered_but_names_are_not() {
        assert_eq!(
            altered(r#"{"abc": "abcdefgh", "n": [1, -20.5, {"a": "x"}, "y"], "z": true}"#),
            r#"{"abc": "bbcdffgh", "n": [2, -11.6, {"a": "w"}, "z"], "z": true}"#
        );
        assert_eq!(altered(r#""\u0041\"abc\\""#), r#""\u0041\"bbc\\""#, "escape sequences are left alone");
        assert_eq!(altered("7"), "8");
    }

    #[test]
    fn values_that_are_nested_too_deep_are_left_alone() {
        let text = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(altered(&text), text);
    }
}
