//! Passwords of a plan, which are neither shown nor stored.

use super::spans::{Shape, Spans};

/// The text with asterisks for its passwords. Every other byte keeps its place.
pub(super) fn hide(text: &str, spans: &Spans) -> String {
    let mut shown = text.to_owned();
    for (key, node) in spans.scalars() {
        let Shape::Scalar(value) = &node.shape else { continue };
        if is_secret(key, value) && text.get(node.value.clone()).is_some() {
            let stars = text[node.value.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect::<String>();
            shown.replace_range(node.value.clone(), &stars);
        }
    }
    shown
}

/// The same for a text that cannot be parsed: hides what follows `password:` in a line.
pub(super) fn hide_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.split_once("password:") {
            Some((before, after)) if !after.trim_start().starts_with("${env:") => {
                let stars: String = after.bytes().map(|byte| if byte.is_ascii_whitespace() { char::from(byte) } else { '*' }).collect();
                format!("{before}password:{stars}")
            }
            _ => line.to_owned(),
        })
        .collect()
}

/// Whether a value must neither be shown nor stored.
pub(crate) fn is_secret(key: &str, value: &str) -> bool {
    key == "password" && !value.starts_with("${env:")
}
