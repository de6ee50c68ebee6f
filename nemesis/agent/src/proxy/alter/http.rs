//! HTTP/1 bodies: values in JSON, letters and digits in plain text.

use std::collections::VecDeque;

use super::json::Json;
use super::{Choice, replace_char};
use crate::proxy::Side;

/// The longest head that is parsed, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// The most pipelined requests.
const MAX_PENDING: usize = 10_000;

/// Both directions of a connection.
#[derive(Default)]
pub(super) struct Http {
    client: State,
    server: State,
    /// For each request without a response: whether its method is HEAD.
    pending: VecDeque<bool>,
}

enum State {
    /// In a head, with the bytes so far.
    Head(Vec<u8>),
    /// In a body of known length, or in a chunk.
    Body { at: u64, length: u64, body: Body, is_chunk: bool },
    /// In the line before a chunk. The first chunk decides where the message is altered.
    Chunk { line: Vec<u8>, body: Body, is_first: bool },
    /// Between a chunk's data and the next line.
    ChunkEnd { body: Body },
    /// In the trailer, which ends with an empty line.
    Trailer { is_empty: bool },
    /// Not HTTP/1, or not any more: passed on unchanged.
    Unparsable,
}

impl Default for State {
    fn default() -> State {
        State::Head(Vec::new())
    }
}

/// The kind of a body.
#[derive(Clone)]
enum Body {
    Json(Json),
    Text,
    /// Without a content type, before its first non-whitespace byte.
    Undeclared,
    /// Encoded, or of a type that is left alone.
    Other,
}

impl Body {
    fn replacement(&mut self, byte: u8) -> Option<u8> {
        if matches!(self, Body::Undeclared) && !byte.is_ascii_whitespace() {
            *self = if matches!(byte, b'{' | b'[') { Body::Json(Json::default()) } else { Body::Text };
        }
        match self {
            Body::Json(json) => json.replacement(byte),
            Body::Text => replace_char(byte),
            Body::Undeclared | Body::Other => None,
        }
    }
}

impl Http {
    pub(super) fn process(&mut self, side: Side, bytes: &mut [u8], choice: &mut Choice) {
        for byte in bytes {
            let state = if side == Side::Client { &mut self.client } else { &mut self.server };
            match state {
                State::Head(head) => {
                    head.push(*byte);
                    if head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
                        let head = std::mem::take(head);
                        let next = self.begin(side, &head, choice).unwrap_or(State::Unparsable);
                        *(if side == Side::Client { &mut self.client } else { &mut self.server }) = next;
                    } else if head.len() > MAX_HEAD {
                        *state = State::Unparsable;
                    }
                }
                State::Body { at, length, body, is_chunk } => {
                    let other = body.replacement(*byte);
                    choice.offer(*at, byte, other);
                    *at += 1;
                    if at == length {
                        *state = if *is_chunk { State::ChunkEnd { body: body.clone() } } else { State::default() };
                    }
                }
                State::Chunk { line, body, is_first } if *byte == b'\n' => {
                    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                    let size = std::str::from_utf8(&line[..digits]).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
                    *state = match size {
                        None => State::Unparsable,
                        Some(0) => State::Trailer { is_empty: true },
                        Some(length) => {
                            if *is_first {
                                choice.begin(length);
                            }
                            // If nothing in the first chunk was altered, the next chunk is altered from its start.
                            let at = if *is_first { 0 } else { u64::MAX - length };
                            State::Body { at, length: at + length, body: body.clone(), is_chunk: true }
                        }
                    };
                }
                State::Chunk { line, .. } if line.len() < MAX_HEAD => line.push(*byte),
                State::ChunkEnd { body } if *byte == b'\n' => {
                    *state = State::Chunk { line: Vec::new(), body: body.clone(), is_first: false };
                }
                State::ChunkEnd { .. } if *byte == b'\r' => {}
                State::Trailer { is_empty: true } if *byte == b'\n' => *state = State::default(),
                State::Trailer { is_empty } => *is_empty = *byte == b'\n' || (*is_empty && *byte == b'\r'),
                State::Unparsable => return,
                State::Chunk { .. } | State::ChunkEnd { .. } => *state = State::Unparsable,
            }
        }
    }

    /// The state after a head; None when it cannot be parsed.
    fn begin(&mut self, side: Side, head: &[u8], choice: &mut Choice) -> Option<State> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let first: Vec<&str> = lines.next()?.split(' ').collect();
        let has_body = match (side, first.as_slice()) {
            (Side::Client, [method, .., version]) if version.starts_with("HTTP/1.") && *method != "CONNECT" => {
                self.pending.push_back(*method == "HEAD");
                if self.pending.len() > MAX_PENDING {
                    return None;
                }
                true
            }
            (Side::Server, [version, status, ..]) if version.starts_with("HTTP/1.") => match status.parse::<u16>().ok()? {
                101 => return None,
                // An interim response: another one follows.
                100..200 => return Some(State::default()),
                status => {
                    let is_head = self.pending.pop_front()?;
                    !is_head && status != 204 && status != 304
                }
            },
            _ => return None,
        };
        let fields =
            || lines.clone().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_ascii_lowercase(), value.trim()));
        let values =
            |wanted: &str| fields().filter(|(name, _)| name == wanted).map(|(_, value)| value.to_ascii_lowercase()).collect::<Vec<_>>();
        let body = body(&values);
        if !has_body {
            return Some(State::default());
        }
        match (values("transfer-encoding").as_slice(), values("content-length").as_slice()) {
            ([encoding], _) if encoding == "chunked" => Some(State::Chunk { line: Vec::new(), body, is_first: true }),
            ([], [length]) => match length.parse().ok()? {
                0 => Some(State::default()),
                length => {
                    choice.begin(length);
                    Some(State::Body { at: 0, length, body, is_chunk: false })
                }
            },
            // Without a length a request has no body; the body of a response ends with the connection.
            ([], []) if side == Side::Client => Some(State::default()),
            _ => None,
        }
    }
}

/// The kind of a body by its header fields. Bodies with an encoding or a digest are left alone.
fn body(values: &impl Fn(&str) -> Vec<String>) -> Body {
    let has_digest_or_encoding =
        ["content-encoding", "content-md5", "digest", "content-digest", "repr-digest"].iter().any(|name| !values(name).is_empty());
    match values("content-type").first() {
        _ if has_digest_or_encoding => Body::Other,
        Some(kind) if kind.contains("json") => Body::Json(Json::default()),
        Some(kind) if !kind.starts_with("text/") && kind != "application/octet-stream" => Body::Other,
        Some(_) => Body::Text,
        None => Body::Undeclared,
    }
}
