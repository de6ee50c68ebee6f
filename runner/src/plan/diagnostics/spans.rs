//! The byte range of every key and value of a YAML text.

use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_yaml::{Location, Spanned};

/// The values of a text as a tree, each with its byte range.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    root: Node,
}

/// A value, with the byte ranges of it and its key.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Its key, where it is in a map.
    pub(super) key: Option<Range<usize>>,
    /// The value; for a block list or map, where it begins.
    pub(super) value: Range<usize>,
    pub(super) shape: Shape,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Shape {
    #[default]
    Nothing,
    /// A string, number or boolean, as text.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Spans {
    /// Reads the spans of a text.
    ///
    /// # Errors
    /// When it is not YAML.
    pub(super) fn read(text: &str) -> Result<Spans, serde_yaml::Error> {
        let tree: Spanned<Tree> = serde_yaml::from_str(text)?;
        Ok(Spans { root: node(text, None, tree) })
    }

    /// The value of the whole text.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// The node at a path such as `nemesis.0.every`, or else its nearest ancestor; and whether it is the node itself.
    pub(super) fn nearest(&self, path: &str) -> (&Node, bool) {
        let mut here = &self.root;
        for step in path.split('.').filter(|step| !step.is_empty()) {
            match here.child(step) {
                Some(child) => here = child,
                None => return (here, false),
            }
        }
        (here, true)
    }

    /// Every scalar, with its key.
    pub(super) fn scalars(&self) -> Vec<(&str, &Node)> {
        fn walk<'a>(key: &'a str, node: &'a Node, found: &mut Vec<(&'a str, &'a Node)>) {
            match &node.shape {
                Shape::Nothing => {}
                Shape::Scalar(_) => found.push((key, node)),
                Shape::List(items) => items.iter().for_each(|item| walk(key, item, found)),
                Shape::Map(entries) => entries.iter().for_each(|(key, value)| walk(key, value, found)),
            }
        }
        let mut found = Vec::new();
        walk("", &self.root, &mut found);
        found
    }
}

impl Node {
    fn child(&self, step: &str) -> Option<&Node> {
        match &self.shape {
            Shape::List(items) => items.get(step.parse::<usize>().ok()?),
            Shape::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, node)| node),
            Shape::Nothing | Shape::Scalar(_) => None,
        }
    }

    /// The place of a word at or below this node, as a value or as a key.
    pub(super) fn find(&self, word: &str) -> Option<Range<usize>> {
        match &self.shape {
            Shape::Nothing => None,
            Shape::Scalar(text) => (text == word).then(|| self.value.clone()),
            Shape::List(items) => items.iter().find_map(|item| item.find(word)),
            Shape::Map(entries) => {
                let by_key = entries.iter().find(|(key, _)| key == word).and_then(|(_, node)| node.key.clone());
                by_key.or_else(|| entries.iter().find_map(|(_, node)| node.find(word)))
            }
        }
    }
}

/// The byte range of a location; empty at the end of the text for an unknown one.
pub(super) fn range(text: &str, location: Location) -> Range<usize> {
    let start: usize = text.split_inclusive('\n').take((location.line() as usize).saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let in_line = rest.char_indices().nth((location.column() as usize).saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    let start = start + in_line;
    let length: usize = text[start..].chars().take(location.span().len() as usize).map(char::len_utf8).sum();
    start..start + length
}

struct Tree {
    shape: TreeShape,
}

enum TreeShape {
    Nothing,
    Scalar(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

fn node(text: &str, key: Option<Range<usize>>, tree: Spanned<Tree>) -> Node {
    let value = range(text, tree.referenced);
    let shape = match tree.value.shape {
        TreeShape::Nothing => Shape::Nothing,
        TreeShape::Scalar(scalar) => Shape::Scalar(scalar),
        TreeShape::List(items) => Shape::List(items.into_iter().map(|item| node(text, None, item)).collect()),
        TreeShape::Map(entries) => Shape::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let place = range(text, key.referenced);
                    (key.value, node(text, Some(place), value))
                })
                .collect(),
        ),
    };
    Node { key, value, shape }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(|shape| Tree { shape })
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = TreeShape;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<TreeShape, E> {
        Ok(TreeShape::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<TreeShape, E> {
        Ok(TreeShape::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TreeShape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(TreeShape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TreeShape, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(TreeShape::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found() {
        let text = "name: größer\nlist:\n  - {a: 1, b: [x, \"y z\"]}\n";
        let spans = Spans::read(text).unwrap();
        let at = |path| {
            let (node, _) = spans.nearest(path);
            (node.key.clone().map(|key| &text[key]), &text[node.value.clone()])
        };
        assert_eq!(at("name"), (Some("name"), "größer"));
        assert_eq!(at("list.0.b.1"), (None, "\"y z\""));
        assert_eq!(at("list.0.a"), (Some("a"), "1"));
        assert!(!spans.nearest("list.0.c").1 && spans.nearest("list.0").1);
        assert_eq!(spans.nearest("list").0.find("y z").map(|place| &text[place]), Some("\"y z\""));
    }
}
