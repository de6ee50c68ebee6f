//! Invariants described as data: their operations, anomalies and options. Documentation and the checkers themselves read the same table.

use std::fmt;

use elenchus_core::{Kind, Operation, Value};

use crate::options::OptionEntry;

/// A checker of one invariant, described.
pub struct Description {
    /// Its name, as plans have it.
    pub name: &'static str,
    /// What it decides, in one sentence.
    pub about: &'static str,
    /// What a valid verdict has proved, as the end of a sentence that begins with the number of operations.
    pub proves: &'static str,
    /// Where the invariant is defined.
    pub source: &'static str,
    /// The operations it knows.
    pub vocabulary: &'static [Word],
    /// Its anomalies, each with what it is.
    pub anomalies: &'static [(&'static str, &'static str)],
    /// The options it takes.
    pub options: &'static [OptionEntry],
    /// Whether operations with different keys concern independent objects.
    pub splits_by_key: bool,
}

/// One operation that a checker knows.
pub struct Word {
    /// The function.
    pub f: &'static str,
    /// What it is asked with.
    pub input: Shape,
    /// What it is told when `ok`.
    pub output: Shape,
}

/// The form of a value.
#[derive(Clone, Copy)]
pub enum Shape {
    /// Anything, or nothing; it is not looked at.
    Any,
    /// Nothing.
    Nil,
    /// Anything but nil, under a name for people.
    Some(&'static str),
    /// A whole number, under a name for people.
    Int(&'static str),
    /// One of these words.
    Text(&'static [&'static str]),
    /// A list of any length.
    List(&'static Shape),
    /// A list of exactly these.
    Tuple(&'static [Shape]),
    /// A map from anything to this.
    Map(&'static Shape),
    /// A map that has at least these text keys.
    Fields(&'static [(&'static str, Shape)]),
    /// One of these.
    Either(&'static [Shape]),
}

impl Shape {
    /// Whether a value has this form.
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
    /// Whether an operation is one that the checker knows. Failed operations did not happen, so any are.
    pub fn admits(&self, operation: &Operation<'_>) -> bool {
        operation.kind == Kind::Fail
            || self.vocabulary.iter().any(|word| {
                operation.f == word.f && word.input.fits(operation.input) && operation.output.is_none_or(|output| word.output.fits(output))
            })
    }

    /// The vocabulary in one line.
    pub fn words(&self) -> String {
        self.vocabulary.iter().map(Word::to_string).collect::<Vec<_>>().join("; ")
    }
}
