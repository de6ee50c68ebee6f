//! Values in bodies of HTTP/1: of JSON its values, of plain text any letter or digit.

use std::collections::VecDeque;

use super::json::Json;
use super::{Pick, other_sign};
use crate::proxy::Side;

/// The longest head that is read, in bytes.
const LONGEST: usize = 64 << 10;

/// How many requests may be ahead of their answers.
const MOST_AHEAD: usize = 10_000;

/// Both sides of a connection.
#[derive(Default)]
pub(super) struct Http {
    client: State,
    server: State,
    /// Of each request that was not answered yet, whether it asks for a head alone.
    ahead: VecDeque<bool>,
}

enum State {
    /// The head of a message, as far as it was heard.
    Head(Vec<u8>),
    /// A body of a known length, or a chunk of one.
    Body { at: u64, length: u64, body: Body, is_chunk: bool },
    /// The line before a chunk; it is the first where nothing is chosen yet.
    Chunk { line: Vec<u8>, body: Body, is_first: bool },
    /// The end of the line behind a chunk.
    ChunkEnd { body: Body },
    /// What follows the last chunk: lines, of which the last is empty.
    Trailer { is_empty: bool },
    /// What is not understood, or is not HTTP any more.
    Lost,
}

impl Default for State {
    fn default() -> State {
        State::Head(Vec::new())
    }
}

/// What a body is.
#[derive(Clone)]
enum Body {
    Json(Json),
    Text,
    /// Of no kind that was said, before its first sign.
    Untold,
    /// Encoded, or of a kind that is left as it is.
    Other,
}

impl Body {
    fn other(&mut self, byte: u8) -> Option<u8> {
        if matches!(self, Body::Untold) && !byte.is_ascii_whitespace() {
            *self = if matches!(byte, b'{' | b'[') { Body::Json(Json::default()) } else { Body::Text };
        }
        match self {
            Body::Json(json) => json.other(byte),
            Body::Text => other_sign(byte),
            Body::Untold | Body::Other => None,
        }
    }
}

impl Http {
    pub(super) fn hear(&mut self, side: Side, bytes: &mut [u8], pick: &mut Pick) {
        for byte in bytes {
            let state = if side == Side::Client { &mut self.client } else { &mut self.server };
            match state {
                State::Head(head) => {
                    head.push(*byte);
                    if head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
                        let head = std::mem::take(head);
                        let next = self.begin(side, &head, pick).unwrap_or(State::Lost);
                        *(if side == Side::Client { &mut self.client } else { &mut self.server }) = next;
                    } else if head.len() > LONGEST {
                        *state = State::Lost;
                    }
                }
                State::Body { at, length, body, is_chunk } => {
                    let other = body.other(*byte);
                    pick.offer(*at, byte, other);
                    *at += 1;
                    if at == length {
                        *state = if *is_chunk { State::ChunkEnd { body: body.clone() } } else { State::default() };
                    }
                }
                State::Chunk { line, body, is_first } if *byte == b'\n' => {
                    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
                    let size = std::str::from_utf8(&line[..digits]).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
                    *state = match size {
                        None => State::Lost,
                        Some(0) => State::Trailer { is_empty: true },
                        Some(length) => {
                            if *is_first {
                                pick.begin(length);
                            }
                            // What is not altered in the first chunk is in the next, from its beginning.
                            let at = if *is_first { 0 } else { u64::MAX - length };
                            State::Body { at, length: at + length, body: body.clone(), is_chunk: true }
                        }
                    };
                }
                State::Chunk { line, .. } if line.len() < LONGEST => line.push(*byte),
                State::ChunkEnd { body } if *byte == b'\n' => {
                    *state = State::Chunk { line: Vec::new(), body: body.clone(), is_first: false };
                }
                State::ChunkEnd { .. } if *byte == b'\r' => {}
                State::Trailer { is_empty: true } if *byte == b'\n' => *state = State::default(),
                State::Trailer { is_empty } => *is_empty = *byte == b'\n' || (*is_empty && *byte == b'\r'),
                State::Lost => return,
                State::Chunk { .. } | State::ChunkEnd { .. } => *state = State::Lost,
            }
        }
    }

    /// What follows a head, if it is understood.
    fn begin(&mut self, side: Side, head: &[u8], pick: &mut Pick) -> Option<State> {
        let head = std::str::from_utf8(head).ok()?;
        let mut lines = head.lines();
        let first: Vec<&str> = lines.next()?.split(' ').collect();
        let has_body = match (side, first.as_slice()) {
            (Side::Client, [method, .., version]) if version.starts_with("HTTP/1.") && *method != "CONNECT" => {
                self.ahead.push_back(*method == "HEAD");
                if self.ahead.len() > MOST_AHEAD {
                    return None;
                }
                true
            }
            (Side::Server, [version, status, ..]) if version.starts_with("HTTP/1.") => match status.parse::<u16>().ok()? {
                101 => return None,
                // Another answer follows.
                100..200 => return Some(State::default()),
                status => {
                    let is_head = self.ahead.pop_front()?;
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
                    pick.begin(length);
                    Some(State::Body { at: 0, length, body, is_chunk: false })
                }
            },
            // A request without a length has no body, an answer without one ends with the connection.
            ([], []) if side == Side::Client => Some(State::default()),
            _ => None,
        }
    }
}

/// What the fields of a head say of its body. What is encoded, or has a checksum, is left as it is.
fn body(values: &impl Fn(&str) -> Vec<String>) -> Body {
    let is_sealed =
        ["content-encoding", "content-md5", "digest", "content-digest", "repr-digest"].iter().any(|name| !values(name).is_empty());
    match values("content-type").first() {
        _ if is_sealed => Body::Other,
        Some(kind) if kind.contains("json") => Body::Json(Json::default()),
        Some(kind) if !kind.starts_with("text/") && kind != "application/octet-stream" => Body::Other,
        Some(_) => Body::Text,
        None => Body::Untold,
    }
}
