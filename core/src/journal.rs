//! The history on disk: append-only, checksummed, readable after SIGKILL.
//!
//! A journal is eight bytes of magic, followed by frames: `length: u32`, `crc32: u32`, and `length` bytes of payload (integers little-endian). A payload is
//! the lz4 compression of a postcard-encoded block: the node names, once, or a batch of events stored by column. A frame is written with one
//! `write`, so a killed writer leaves whole frames and at most one torn frame at the end, which the reader drops and reports.

mod block;

use std::io::{self, Read, Write};

use thiserror::Error;

use crate::{Event, History};
use block::Block;

/// The magic of a journal; the last two bytes are the format version.
const MAGIC: &[u8; 8] = b"ELENCH01";

/// The maximum size of a frame, before and after compression: 64 MiB.
const FRAME_MAX: usize = 64 << 20;

/// The size of a frame's header in bytes.
const FRAME_HEAD: usize = 8;

/// The maximum number of events in a frame.
const EVENTS_PER_FRAME: usize = 16 * 1024;

/// An error of reading a journal.
#[derive(Debug, Error)]
pub enum JournalError {
    /// An I/O error.
    #[error("cannot read the journal: {0}")]
    Io(#[from] io::Error),
    /// The magic is missing.
    #[error("not an Elenchus journal: the file does not begin with `ELENCH01`")]
    NotAJournal,
}

/// Appends events to a journal.
#[derive(Debug)]
pub struct JournalWriter<W> {
    sink: W,
}

impl<W: Write> JournalWriter<W> {
    /// Starts a journal on an empty sink.
    ///
    /// # Errors
    /// When writing the header fails.
    pub fn new(mut sink: W, nodes: &[String]) -> io::Result<JournalWriter<W>> {
        sink.write_all(MAGIC)?;
        let mut writer = JournalWriter { sink };
        writer.frame(&Block::Nodes(nodes.to_vec()))?;
        Ok(writer)
    }

    /// Appends events in frames of bounded size and flushes the sink. From then on they survive a crash of the process (not of the machine:
    /// there is no fsync).
    ///
    /// # Errors
    /// When writing fails, or a batch of events exceeds the maximum size of a frame.
    pub fn append(&mut self, events: &[Event]) -> io::Result<()> {
        for batch in events.chunks(EVENTS_PER_FRAME) {
            self.frame(&block::encode(batch))?;
        }
        self.sink.flush()
    }

    fn frame(&mut self, block: &Block) -> io::Result<()> {
        let plain = postcard::to_stdvec(block).map_err(io::Error::other)?;
        let payload = lz4_flex::compress_prepend_size(&plain);
        if plain.len() > FRAME_MAX || payload.len() > FRAME_MAX {
            return Err(io::Error::other(format!(
                "a batch of events takes {} bytes; the maximum size of a frame is {FRAME_MAX}",
                plain.len()
            )));
        }
        let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
        frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        frame.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        frame.extend_from_slice(&payload);
        self.sink.write_all(&frame)
    }
}

/// The contents of a journal.
#[derive(Debug, PartialEq)]
pub struct Journal {
    /// The events of all whole frames.
    pub history: History,
    /// The number of bytes after the last whole frame: 0 unless the writer was killed during a write.
    pub torn_bytes: u64,
}

/// Reads a journal up to its last whole frame.
///
/// # Errors
/// When the source cannot be read or is not a journal. A torn or damaged tail is not an error.
pub fn read(source: impl Read) -> Result<Journal, JournalError> {
    let mut frames = FrameReader::new(source)?;
    if !frames.is_journal {
        return Err(JournalError::NotAJournal);
    }
    let mut journal = Journal { history: History::default(), torn_bytes: 0 };
    while let Some(frame) = frames.next_frame()? {
        match frame.decode() {
            Some(FrameContent::Nodes(nodes)) => journal.history.nodes = nodes,
            Some(FrameContent::Events(mut events)) => journal.history.events.append(&mut events),
            None => {
                // Frame boundaries after a damaged frame cannot be trusted.
                journal.torn_bytes = frame.len() as u64 + io::copy(&mut frames.source, &mut io::sink())?;
                break;
            }
        }
    }
    journal.torn_bytes += frames.torn_bytes;
    Ok(journal)
}

/// Returns whether bytes begin like a journal.
pub fn is_journal(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Reads a journal frame by frame.
pub(crate) struct FrameReader<R> {
    source: R,
    is_journal: bool,
    torn_bytes: u64,
}

/// An undecoded frame.
pub(crate) struct Frame {
    checksum: u32,
    payload: Vec<u8>,
}

/// The contents of a frame.
pub(crate) enum FrameContent {
    /// The node names.
    Nodes(Vec<String>),
    /// A batch of events.
    Events(Vec<Event>),
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(mut source: R) -> io::Result<FrameReader<R>> {
        let mut magic = Vec::new();
        source.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        Ok(FrameReader { source, is_journal: is_journal(&magic), torn_bytes: 0 })
    }

    /// Reads the next frame; `None` at the end or at a torn frame.
    pub(crate) fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        let mut head = Vec::with_capacity(FRAME_HEAD);
        self.source.by_ref().take(FRAME_HEAD as u64).read_to_end(&mut head)?;
        let Some((length, checksum)) = take_u32(&head).and_then(|(length, rest)| Some((length, take_u32(rest)?.0))) else {
            self.torn_bytes += head.len() as u64;
            return Ok(None);
        };
        let mut payload = Vec::new();
        self.source.by_ref().take(u64::from(length)).read_to_end(&mut payload)?;
        if payload.len() < length as usize {
            self.torn_bytes += (FRAME_HEAD + payload.len()) as u64;
            return Ok(None);
        }
        Ok(Some(Frame { checksum, payload }))
    }

    /// Returns the number of torn bytes found since the last call.
    pub(crate) fn take_torn_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.torn_bytes)
    }
}

impl Frame {
    /// Returns the size in the journal, in bytes.
    pub(crate) fn len(&self) -> usize {
        FRAME_HEAD + self.payload.len()
    }

    /// Decodes the frame; `None` if it is damaged.
    pub(crate) fn decode(&self) -> Option<FrameContent> {
        let plain_size = take_u32(&self.payload)?.0 as usize;
        if crc32fast::hash(&self.payload) != self.checksum || plain_size > FRAME_MAX {
            return None;
        }
        let plain = lz4_flex::decompress_size_prepended(&self.payload).ok()?;
        Some(match postcard::from_bytes(&plain).ok()? {
            Block::Nodes(nodes) => FrameContent::Nodes(nodes),
            Block::Events(columns) => FrameContent::Events(block::decode(&columns)?),
        })
    }
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}
