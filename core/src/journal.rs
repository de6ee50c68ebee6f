//! The history on disk: append-only, checksummed, readable after `kill -9`.
//!
//! A journal is eight bytes of magic, then frames: `length: u32`, `crc32: u32`, and `length` bytes of payload (integers little-endian). A payload is
//! the lz4 compression of a postcard-encoded block: the nodes' names, once, or a batch of events stored column by column. A frame is written with one
//! `write`, so a killed writer leaves whole frames and at most one torn tail, which the reader drops and reports.

mod block;

use std::io::{self, Read, Write};

use thiserror::Error;

use crate::{Event, History};
use block::Block;

/// The first bytes of every journal; the last two are the format's version.
const MAGIC: &[u8; 8] = b"ELENCH01";

/// The largest frame that is written or believed: 64 MiB, before and after decompression.
const FRAME_MAX: usize = 64 << 20;

/// How many bytes stand before a frame's payload.
const FRAME_HEAD: usize = 8;

/// How many events a frame holds at most.
const EVENTS_PER_FRAME: usize = 16 * 1024;

/// Why a journal could not be read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("the journal could not be read: {0}")]
    Io(#[from] io::Error),
    /// The file is something else.
    #[error("this is not an Elenchus journal: it does not begin with `ELENCH01`")]
    NotAJournal,
}

/// Appends events to a journal.
#[derive(Debug)]
pub struct JournalWriter<W> {
    sink: W,
}

impl<W: Write> JournalWriter<W> {
    /// Begins a journal on an empty sink.
    ///
    /// # Errors
    /// When the sink refuses the header.
    pub fn new(mut sink: W, nodes: &[String]) -> io::Result<JournalWriter<W>> {
        sink.write_all(MAGIC)?;
        let mut writer = JournalWriter { sink };
        writer.frame(&Block::Nodes(nodes.to_vec()))?;
        Ok(writer)
    }

    /// Appends events, in frames of bounded size, and hands them to the operating system: they outlive the process from here on.
    ///
    /// # Errors
    /// When the sink refuses, or a single batch of values is larger than a frame may be.
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
            return Err(io::Error::other(format!("a batch of events takes {} bytes; at most {FRAME_MAX} fit a frame", plain.len())));
        }
        let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
        frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        frame.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        frame.extend_from_slice(&payload);
        self.sink.write_all(&frame)
    }
}

/// A journal as it was found.
#[derive(Debug, PartialEq)]
pub struct Journal {
    /// Every event of every whole frame.
    pub history: History,
    /// Bytes after the last whole frame: 0 when the writer ended in order, else what a kill tore off.
    pub torn_bytes: u64,
}

/// Reads a journal up to its last whole frame.
///
/// # Errors
/// When the source cannot be read or is no journal. A torn or damaged tail is no error.
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
                // What follows a damaged frame cannot be trusted to be what was written after it.
                journal.torn_bytes = frame.len() as u64 + io::copy(&mut frames.source, &mut io::sink())?;
                break;
            }
        }
    }
    journal.torn_bytes += frames.torn_bytes;
    Ok(journal)
}

/// Whether bytes begin as a journal does.
pub fn is_journal(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// Takes a journal's frames one by one.
pub(crate) struct FrameReader<R> {
    source: R,
    is_journal: bool,
    torn_bytes: u64,
}

/// A frame as it was found.
pub(crate) struct Frame {
    checksum: u32,
    payload: Vec<u8>,
}

/// What a frame holds.
pub(crate) enum FrameContent {
    /// The names of the nodes.
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

    /// The next frame, if it is all there.
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

    /// How many bytes were found since this was last asked that are no whole frame.
    pub(crate) fn take_torn_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.torn_bytes)
    }
}

impl Frame {
    /// Bytes in the journal.
    pub(crate) fn len(&self) -> usize {
        FRAME_HEAD + self.payload.len()
    }

    /// What it holds; none when it is damaged.
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
