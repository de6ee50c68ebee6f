//! Descriptions of checkers as data: the supported operations and the anomalies, for validation and documentation.

use std::fmt;

use elenchus_core::{Kind, Operation, Value};

use crate::options::OptionEntry;

/// A checker of one invariant, described.
pub struct Description {
    /// Its name in plans.
    pub name: &'static str,
    /// The property that it checks, in one sentence.
    pub about: &'static str,
    /// The conclusion from a valid verdict; follows the number of operations in the summary.
    pub proves: &'static str,
    /// Where the invariant is defined.
    pub source: &'static str,
    /// The supported operations.
    pub vocabulary: &'static [Word],
    /// Its anomalies, each with its meaning.
    pub anomalies: &'static [(&'static str, &'static str)],
    /// Its options.
    pub options: &'static [OptionEntry],
    /// Whether operations with different keys concern independent objects.
    pub splits_by_key: bool,
}

/// One supported operation.
pub struct Word {
    /// The function.
    pub f: &'static str,
    /// The shape of its argument.
    pub input: Shape,
    /// The shape of its result when `ok`.
    pub output: Shape,
}

/// The shape of a value.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Any value, including nil.
    Any,
    /// Nil.
    Nil,
    /// Any value but nil, with a name for messages.
    Some(&'static str),
    /// An integer, with a name for messages.
    Int(&'static str),
    /// One of these words.
    Text(&'static [&'static str]),
    /// A list of any length.
    List(&'static Shape),
    /// A list of exactly these elements.
    Tuple(&'static [Shape]),
    /// A map from any keys to this shape.
    Map(&'static Shape),
    /// A map with at least these text keys.
    Fields(&'static [(&'static str, Shape)]),
    /// One of these shapes.
    Either(&'static [Shape]),
}

impl Shape {
    /// Returns whether a value has this shape.
    pub fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Shape::Any, _) | (Shape::Nil, Value::Nil) | (Shape::Int(_), Value::Int(_)) => true,
            (Shape::Some(_), value) => !value.is_nil(),
            (Shape::Text(words), Value::Text(text)) => words.contains(&&**text),
            (Shape::List(shape), Value::List(items)) => items.iter().all(|item| shape.fits(item)),
            (Shape::Tuple(shapes), Value::List(items)) => {
                shapes.len() == items.len() && shapes.iter().zip(items).all(|(shape, item)| shape.fits(item))
            }
            (Shape::Map(shape), Value::Map(pairs)) => pairs.iter().all(|(_, value)| shape.fits(value)),
            (Shape::Fields(fields), Value::Map(_)) => {
                fields.iter().all(|(name, shape)| value.get(name).is_some_and(|value| shape.fits(value)))
            }
            (Shape::Either(shapes), value) => shapes.iter().any(|shape| shape.fits(value)),
            _ => false,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Any => out.write_str("_"),
            Shape::Nil => out.write_str("nil"),
            Shape::Some(name) | Shape::Int(name) => out.write_str(name),
            Shape::Text(words) => out.write_str(&words.join("|")),
            Shape::List(shape) => write!(out, "[{shape} …]"),
            Shape::Tuple(shapes) => {
                let shapes: Vec<String> = shapes.iter().map(Shape::to_string).collect();
                write!(out, "[{}]", shapes.join(" "))
            }
            Shape::Map(shape) => write!(out, "{{k {shape} …}}"),
            Shape::Fields(fields) => {
                let fields: Vec<String> = fields.iter().map(|(name, shape)| format!("{name} {shape}")).collect();
                write!(out, "{{{}}}", fields.join(", "))
            }
            Shape::Either(shapes) => {
                let shapes: Vec<String> = shapes.iter().map(Shape::to_string).collect();
                out.write_str(&shapes.join(" or "))
            }
        }
    }
}

impl fmt::Display for Word {
    /// `add v`, `read → [v …]`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.f)?;
        if !matches!(self.input, Shape::Any | Shape::Nil) {
            write!(out, " {}", self.input)?;
        }
        if !matches!(self.output, Shape::Any) {
            write!(out, " → {}", self.output)?;
        }
        Ok(())
    }
}

impl Description {
    /// Returns whether an operation is supported. Failed operations did not take effect and are always supported.
    pub fn admits(&self, operation: &Operation<'_>) -> bool {
        operation.kind == Kind::Fail
            || self.vocabulary.iter().any(|word| {
                operation.f == word.f && word.input.fits(operation.input) && operation.output.is_none_or(|output| word.output.fits(output))
            })
    }

    /// Formats the vocabulary in one line.
    pub fn words(&self) -> String {
        self.vocabulary.iter().map(Word::to_string).collect::<Vec<_>>().join("; ")
    }
}
