//! Where the values of a text in JSON are.

use super::other_sign;

/// How deep arrays and objects are looked into.
const DEEPEST: u32 = u128::BITS;

/// A text in JSON, byte by byte.
#[derive(Clone, Debug, Default)]
pub(super) struct Json {
    /// How many arrays and objects are open, and which of them are objects: the innermost in the lowest bit.
    depth: u32,
    objects: u128,
    /// Whether a string would be the name of a member.
    is_name: bool,
    string: Option<Text>,
}

/// A string that has begun.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    at: u64,
    /// How many bytes of an escape are still to come; its kind first, when it is just behind the backslash.
    escaped: u8,
    is_kind_next: bool,
}

impl Json {
    /// What the next byte may become, if it belongs to a value: a letter or a digit of a string, or a digit of a number.
    ///
    /// Of a string only every fourth: what is in base64 never ends with one of them, and what it ends with is not just any letter.
    pub(super) fn other(&mut self, byte: u8) -> Option<u8> {
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
                _ if !self.is_name && self.depth <= DEEPEST && at % 4 == 0 => return other_sign(byte),
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
            b'0'..=b'9' if self.depth <= DEEPEST => return other_sign(byte),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text with every byte altered that may be.
    fn altered(text: &str) -> String {
        let mut json = Json::default();
        text.bytes().map(|byte| char::from(json.other(byte).unwrap_or(byte))).collect()
    }

    #[test]
    fn values_are_altered_and_names_are_not() {
        assert_eq!(
            altered(r#"{"abc": "abcdefgh", "n": [1, -20.5, {"a": "x"}, "y"], "z": true}"#),
            r#"{"abc": "bbcdffgh", "n": [2, -11.6, {"a": "w"}, "z"], "z": true}"#
        );
        assert_eq!(altered(r#""\u0041\"abc\\""#), r#""\u0041\"bbc\\""#, "escapes are left");
        assert_eq!(altered("7"), "8");
    }

    #[test]
    fn what_is_too_deep_is_left() {
        let text = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(altered(&text), text);
    }
}
