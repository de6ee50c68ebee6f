//! Detection of a history's format from its first bytes.

use std::fmt;

use super::log;
use crate::journal;

/// A format of histories, after decompression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Elenchus' own: [`crate::journal`].
    Journal,
    /// Jepsen's `history.edn`.
    Edn,
    /// One JSON object for each event, or an array of them.
    Json,
    /// The lines that Jepsen logs for each operation.
    Log,
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Format::Journal => "journal",
            Format::Edn => "EDN",
            Format::Json => "JSON",
            Format::Log => "log",
        })
    }
}

impl Format {
    /// Detects the format from the first bytes; EDN, which has comments and the best errors, if they are inconclusive.
    pub fn sniff(head: &[u8]) -> Format {
        if journal::is_journal(head) {
            return Format::Journal;
        }
        let mut marks = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        match (marks.next(), marks.next(), marks.next()) {
            // A JSON object's first key is a string; in Jepsen's EDN it is a keyword.
            (Some(b'{'), Some(b'"'), _) | (Some(b'['), Some(b'{'), Some(b'"')) => Format::Json,
            (Some(b'{' | b'(' | b';' | b'#' | b'^'), _, _) | (Some(b'['), Some(b'{' | b'#' | b']' | b';'), _) => Format::Edn,
            _ if head.split(|&byte| byte == b'\n').any(log::is_log_line) => Format::Log,
            _ => Format::Edn,
        }
    }
}

/// Returns the bytes with which the first event of a text begins: `{:index`, `{"process`, `#jepsen.history.Op{:index`. Other events probably
/// begin so too, which makes them good split points.
pub(super) fn opening(head: &[u8]) -> Vec<u8> {
    let Some(brace) = memchr::memchr(b'{', head) else { return b"{".to_vec() };
    let tag = head[..brace].iter().rev().take_while(|&&byte| byte.is_ascii_graphic() && !b"[]()\",;#".contains(&byte)).count();
    let start = match brace.checked_sub(tag + 1) {
        Some(mark) if head[mark] == b'#' => mark,
        _ => brace,
    };
    let before_name = |byte: u8| byte.is_ascii_whitespace() || byte == b'"' || byte == b':';
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let name = brace + 1 + head[brace + 1..].iter().take_while(|&&byte| before_name(byte)).count();
    let end = name + head[name..].iter().take_while(|&&byte| is_name(byte)).take(32).count();
    head[start..end].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart() {
        for (head, format) in [
            ("{:process 0}", Format::Edn),
            (" [{:process 0}]", Format::Edn),
            ("[#jepsen.history.Op{:process 0}]", Format::Edn),
            ("; a comment", Format::Edn),
            ("", Format::Edn),
            ("[]", Format::Edn),
            ("nonsense", Format::Edn),
            ("{ \"process\": 0}", Format::Json),
            ("[\n{\"process\": 0}]", Format::Json),
            ("INFO  jepsen.core - Running\nINFO  jepsen.util - 0\t:invoke\t:read\tnil", Format::Log),
            ("[main] INFO  jepsen.util - 0\t:invoke\t:read\tnil", Format::Log),
            ("2018-02-21 12:53:01,345{GMT}\tINFO\t[jepsen worker 1] jepsen.util: 1\t:invoke\t:read\tnil", Format::Log),
            ("ELENCH01\0\0", Format::Journal),
        ] {
            assert_eq!(Format::sniff(head.as_bytes()), format, "{head}");
        }
    }

    #[test]
    fn events_begin_as_the_first_does() {
        for (head, begins) in [
            ("{:type :ok}", "{:type"),
            ("[{\"process\":0}]", "{\"process"),
            ("[{ \"process\": 0}]", "{ \"process"),
            ("[#jepsen.history.Op{:index 0}]", "#jepsen.history.Op{:index"),
            ("nothing", "{"),
        ] {
            assert_eq!(opening(head.as_bytes()), begins.as_bytes(), "{head}");
        }
    }
}
