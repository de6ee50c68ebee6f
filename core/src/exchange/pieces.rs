//! A history's bytes, cut into pieces that can be read at once.

use std::io::{self, Read};

use super::format::Format;
use super::segment::Language;
use super::source::Source;
use crate::journal::{Frame, FrameReader};

/// A part of a history, not yet read.
pub(super) enum Piece {
    /// Part of a text.
    Text {
        bytes: Vec<u8>,
        /// Whether nothing follows.
        is_last: bool,
    },
    /// Frames of a journal.
    Frames {
        frames: Vec<Frame>,
        /// How many bytes follow them that are no whole frame.
        torn_bytes: u64,
    },
}

/// What gives the pieces, in order.
pub(super) enum Pieces {
    Text(TextPieces),
    Journal(FrameReader<Source>),
}

/// Cuts a text.
pub(super) struct TextPieces {
    source: Source,
    /// What was read but not given.
    buffer: Vec<u8>,
    /// How long a piece shall be, in bytes.
    length: usize,
    is_over: bool,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A piece holds more than a character.
const SHORTEST: usize = 8;

/// How much is looked at to tell the format.
const HEAD: usize = 64 << 10;

impl Pieces {
    /// Pieces of about `length` bytes, and how they are to be read.
    pub(super) fn new(mut source: Source, length: usize, is_lenient: bool) -> io::Result<(Pieces, Language)> {
        let mut buffer = Vec::new();
        source.by_ref().take(HEAD as u64).read_to_end(&mut buffer)?;
        if buffer.starts_with(BYTE_ORDER_MARK) {
            buffer.drain(..BYTE_ORDER_MARK.len());
        }
        let format = Format::sniff(&buffer);
        let language = Language::new(format, &buffer, is_lenient);
        let pieces = match format {
            Format::Journal => {
                let whole: Source = Box::new(io::Cursor::new(buffer).chain(source));
                Pieces::Journal(FrameReader::new(whole)?)
            }
            _ => Pieces::Text(TextPieces { source, buffer, length: length.max(SHORTEST), is_over: false }),
        };
        Ok((pieces, language))
    }

    /// The next piece.
    pub(super) fn next(&mut self, language: &Language) -> io::Result<Option<Piece>> {
        match self {
            Pieces::Text(text) => text.next(language),
            Pieces::Journal(frames) => {
                let mut some = Vec::new();
                let mut bytes = 0;
                while bytes < FRAME_BYTES
                    && let Some(frame) = frames.next_frame()?
                {
                    bytes += frame.len();
                    some.push(frame);
                }
                let torn_bytes = frames.take_torn_bytes();
                Ok((!some.is_empty() || torn_bytes > 0).then_some(Piece::Frames { frames: some, torn_bytes }))
            }
        }
    }
}

/// Small frames are read together, up to as many bytes.
const FRAME_BYTES: usize = 256 << 10;

impl TextPieces {
    fn next(&mut self, language: &Language) -> io::Result<Option<Piece>> {
        if self.is_over {
            return Ok(None);
        }
        if self.buffer.len() <= self.length {
            let wanted = self.length + 1 - self.buffer.len();
            let count = self.source.by_ref().take(wanted as u64).read_to_end(&mut self.buffer)?;
            self.is_over = count < wanted;
        }
        if self.is_over {
            return Ok(Some(Piece::Text { bytes: std::mem::take(&mut self.buffer), is_last: true }));
        }
        let whole = &self.buffer[..self.length];
        let cut = match language.cut(whole) {
            cut if cut == whole.len() => character_end(whole),
            cut => cut,
        };
        let rest = self.buffer.split_off(cut);
        Ok(Some(Piece::Text { bytes: std::mem::replace(&mut self.buffer, rest), is_last: false }))
    }
}

/// The last position of a text where no character is cut in two; its end where it is no text.
fn character_end(bytes: &[u8]) -> usize {
    let begins = |byte: u8| byte & 0b1100_0000 != 0b1000_0000;
    match bytes.iter().rposition(|&byte| begins(byte)) {
        Some(last) if last > 0 && bytes.len() - last < 4 && std::str::from_utf8(&bytes[last..]).is_err() => last,
        _ => bytes.len(),
    }
}
