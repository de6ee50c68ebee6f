//! Values: the arguments and results of operations.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The maximum nesting depth of lists and maps in any input.
pub const MAX_DEPTH: usize = 64;

/// Text of up to 15 bytes is stored inline; longer text is shared between clones. Dereferences to `&str`.
pub type Text = ecow::EcoString;

/// An argument or result of an operation: the union of the values of JSON and Jepsen's EDN. 24 bytes.
///
/// EDN keywords, symbols and strings all become [`Value::Text`]; sets and vectors both become [`Value::List`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// No value: an absent key, an unknown result.
    #[default]
    Nil,
    /// A Boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(Float),
    /// A string, keyword or symbol.
    Text(Text),
    /// An ordered sequence.
    List(Vec<Value>),
    /// A map, as pairs in their original order.
    Map(Box<[(Value, Value)]>),
}

// Histories have millions of these.
const _: () = assert!(size_of::<Value>() == 24);

/// A floating-point number with a total order, so that values can be map keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Float(u64);

impl Float {
    /// Wraps a number.
    pub fn new(number: f64) -> Float {
        Float(number.to_bits())
    }

    /// The number.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Float) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Float {
    fn cmp(&self, other: &Float) -> std::cmp::Ordering {
        self.get().total_cmp(&other.get())
    }
}

impl Value {
    /// Creates a text value.
    pub fn text(text: impl Into<Text>) -> Value {
        Value::Text(text.into())
    }

    /// Creates a list of two elements, such as the expected and the new value of a compare-and-set.
    pub fn pair(first: impl Into<Value>, second: impl Into<Value>) -> Value {
        Value::List(vec![first.into(), second.into()])
    }

    /// A list of these items.
    ///
    /// ```
    /// assert_eq!(elenchus_core::Value::list([1, 2]).to_string(), "[1 2]");
    /// ```
    pub fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
        Value::List(items.into_iter().map(Into::into).collect())
    }

    /// Returns whether the value is nested deeper than [`MAX_DEPTH`], so that no history can hold it.
    pub fn is_too_deep(&self) -> bool {
        fn deeper(value: &Value, left: usize) -> bool {
            match value {
                Value::List(items) => left == 0 || items.iter().any(|item| deeper(item, left - 1)),
                Value::Map(pairs) => left == 0 || pairs.iter().any(|(key, value)| deeper(key, left - 1) || deeper(value, left - 1)),
                _ => false,
            }
        }
        deeper(self, MAX_DEPTH)
    }

    /// Returns whether this is [`Value::Nil`].
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Returns the integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns both elements, if it is a list of exactly two.
    pub fn as_pair(&self) -> Option<(&Value, &Value)> {
        match self.as_list() {
            Some([first, second]) => Some((first, second)),
            _ => None,
        }
    }

    /// Returns the value of a text key, if it is a map that has the key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(pairs) => pairs.iter().find(|(k, _)| k.as_text() == Some(key)).map(|(_, v)| v),
            _ => None,
        }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Nil
    }
}

/// `None` is nil.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Nil, Into::into)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::Bool(truth)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text.into())
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Value {
        Value::List(items)
    }
}

impl From<Vec<(Value, Value)>> for Value {
    fn from(pairs: Vec<(Value, Value)>) -> Value {
        Value::Map(pairs.into())
    }
}

impl fmt::Display for Value {
    /// EDN without keywords: `nil`, `1`, `"a"`, `[1 2]`, `{"k" 1}`. Parsing it returns the same value.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => out.write_str("nil"),
            Value::Bool(truth) => write!(out, "{truth}"),
            Value::Int(number) => write!(out, "{number}"),
            Value::Float(number) => match number.get() {
                number if number.is_nan() => out.write_str("##NaN"),
                f64::INFINITY => out.write_str("##Inf"),
                f64::NEG_INFINITY => out.write_str("##-Inf"),
                number => write!(out, "{number:?}"),
            },
            Value::Text(text) => write!(out, "{}", Quoted(text)),
            Value::List(items) => {
                out.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if i == 0 { "" } else { " " })?;
                }
                out.write_str("]")
            }
            Value::Map(pairs) => {
                out.write_str("{")?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    write!(out, "{}{key} {value}", if i == 0 { "" } else { ", " })?;
                }
                out.write_str("}")
            }
        }
    }
}

/// Text as an EDN string: in quotes, with quotes, backslashes and control characters escaped.
pub(crate) struct Quoted<'t>(pub(crate) &'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        out.write_str("\"")?;
        for (at, character) in self.0.char_indices().filter(|(_, character)| matches!(character, '"' | '\\') || character.is_control()) {
            out.write_str(&self.0[plain..at])?;
            plain = at + character.len_utf8();
            match character {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                other => write!(out, "\\u{:04x}", u32::from(other))?,
            }
        }
        out.write_str(&self.0[plain..])?;
        out.write_str("\"")
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Nil => serializer.serialize_unit(),
            Value::Bool(truth) => serializer.serialize_bool(*truth),
            Value::Int(number) => serializer.serialize_i64(*number),
            Value::Float(number) => serializer.serialize_f64(number.get()),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Value::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    match key.as_text() {
                        Some(text) => map.serialize_entry(text, value)?,
                        // JSON has only text keys: other keys are written as EDN text.
                        None => map.serialize_entry(&key.to_string(), value)?,
                    }
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Int).map_err(|_| E::custom(format!("{number} does not fit a signed 64-bit integer")))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(Float::new(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some((key, value)) = map.next_entry()? {
            pairs.push((key, value));
        }
        Ok(Value::Map(pairs.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_as_readers_count_it() {
        let nested = |depth: usize| (0..depth).fold(Value::Nil, |inner, _| Value::List(vec![inner]));
        assert!(!nested(MAX_DEPTH).is_too_deep());
        assert!(nested(MAX_DEPTH + 1).is_too_deep());
    }
}
