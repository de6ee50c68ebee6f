//! Splits the bytes of a history into chunks that can be parsed in parallel.

use std::io::{self, Read};

use super::format::Format;
use super::segment::ParseContext;
use super::source::Source;
use crate::journal::{Frame, FrameReader};

/// An unparsed part of a history.
pub(super) enum Chunk {
    /// Part of a text.
    Text {
        bytes: Vec<u8>,
        /// Whether this is the last chunk.
        is_last: bool,
    },
    /// Frames of a journal.
    Frames {
        frames: Vec<Frame>,
        /// The number of bytes after them that are not a whole frame.
        torn_bytes: u64,
    },
}

/// Yields the chunks in order.
pub(super) enum Chunks {
    Text(TextChunks),
    Journal(FrameReader<Source>),
}

/// Splits a text.
pub(super) struct TextChunks {
    source: Source,
    /// Bytes that were read but not yielded yet.
    buffer: Vec<u8>,
    /// The length of a chunk in bytes.
    length: usize,
    is_over: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The minimum length of a chunk: more than one character.
const MIN_CHUNK_BYTES: usize = 8;

/// The number of bytes inspected to detect the format.
const DETECTION_BYTES: usize = 64 << 10;

impl Chunks {
    /// Creates chunks of about `length` bytes, and how to parse them.
    pub(super) fn new(mut source: Source, length: usize, is_lenient: bool) -> io::Result<(Chunks, ParseContext)> {
        let mut buffer = Vec::new();
        source.by_ref().take(DETECTION_BYTES as u64).read_to_end(&mut buffer)?;
        if buffer.starts_with(BYTE_ORDER_MARK) {
            buffer.drain(..BYTE_ORDER_MARK.len());
        }
        let format = Format::sniff(&buffer);
        let context = ParseContext::new(format, &buffer, is_lenient);
        let chunks = match format {
            Format::Journal => {
                let whole: Source = Box::new(io::Cursor::new(buffer).chain(source));
                Chunks::Journal(FrameReader::new(whole)?)
            }
            _ => Chunks::Text(TextChunks { source, buffer, length: length.max(MIN_CHUNK_BYTES), is_over: false }),
        };
        Ok((chunks, context))
    }

    /// Returns the next chunk.
    pub(super) fn next(&mut self, context: &ParseContext) -> io::Result<Option<Chunk>> {
        match self {
            Chunks::Text(text) => text.next(context),
            Chunks::Journal(frames) => {
                let mut some = Vec::new();
                let mut bytes = 0;
                while bytes < FRAME_CHUNK_BYTES
                    && let Some(frame) = frames.next_frame()?
                {
                    bytes += frame.len();
                    some.push(frame);
                }
                let torn_bytes = frames.take_torn_bytes();
                Ok((!some.is_empty() || torn_bytes > 0).then_some(Chunk::Frames { frames: some, torn_bytes }))
            }
        }
    }
}

/// The number of bytes up to which small frames are combined into one chunk.
const FRAME_CHUNK_BYTES: usize = 256 << 10;

impl TextChunks {
    fn next(&mut self, context: &ParseContext) -> io::Result<Option<Chunk>> {
        if self.is_over {
            return Ok(None);
        }
        if self.buffer.len() <= self.length {
            let wanted = self.length + 1 - self.buffer.len();
            let count = self.source.by_ref().take(wanted as u64).read_to_end(&mut self.buffer)?;
            self.is_over = count < wanted;
        }
        if self.is_over {
            return Ok(Some(Chunk::Text { bytes: std::mem::take(&mut self.buffer), is_last: true }));
        }
        let whole = &self.buffer[..self.length];
        let cut = match context.cut(whole) {
            cut if cut == whole.len() => character_end(whole),
            cut => cut,
        };
        let rest = self.buffer.split_off(cut);
        Ok(Some(Chunk::Text { bytes: std::mem::replace(&mut self.buffer, rest), is_last: false }))
    }
}

/// Returns the last position that does not split a UTF-8 character; the end if the bytes are not UTF-8.
fn character_end(bytes: &[u8]) -> usize {
    let begins = |byte: u8| byte & 0b1100_0000 != 0b1000_0000;
    match bytes.iter().rposition(|&byte| begins(byte)) {
        Some(last) if last > 0 && bytes.len() - last < 4 && std::str::from_utf8(&bytes[last..]).is_err() => last,
        _ => bytes.len(),
    }
}
