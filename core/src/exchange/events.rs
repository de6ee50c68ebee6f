//! The events of a history in batches, in bounded memory.
//!
//! The bytes are split into chunks ([`super::chunks`]), several threads parse chunks in parallel ([`super::segment`]), and here the events are put in
//! order again. A thread takes the next chunk and its slot in the queue under one lock, so that the queue is in the order of the history; the queue is
//! bounded, so that no thread runs far ahead of the consumer.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};

use super::chunks::{Chunk, Chunks};
use super::error::{Position, ReadError, Skipped};
use super::event_parser::Scope;
use super::format::Format;
use super::nodes::NodeNames;
use super::segment::{self, ParseContext, Segment, State};
use super::source::{self, Source};
use crate::journal::{Frame, FrameContent};
use crate::{Event, History};

/// Options for reading a history.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Whether to skip and count malformed lines or events instead of failing.
    pub lenient: bool,
    /// The number of parser threads; 0 for the number of cores.
    pub threads: usize,
    /// The amount of text in one batch, in bytes. Memory is bounded by a small multiple of this for each thread.
    pub batch_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions { lenient: false, threads: 0, batch_bytes: 512 << 10 }
    }
}

/// The number of chunks that may be parsed ahead for each thread.
const READ_AHEAD: usize = 2;

/// An iterator over the events of a history, in batches of some thousand events. It ends after the first error.
///
/// Dropping it stops the parser threads.
pub struct Events {
    path: PathBuf,
    context: Arc<ParseContext>,
    lane: Parsing,
    /// The state that the threads assume at the start of a chunk.
    guess: State,
    /// The actual state at the current position.
    state: State,
    position: Position,
    /// Bytes that have to be parsed again together with the next chunk.
    carry: Vec<u8>,
    nodes: NodeNames,
    skipped: Skipped,
    torn_bytes: u64,
    is_over: bool,
    /// The first batch, which was parsed to determine the assumed state.
    first: Option<Result<Vec<Event>, ReadError>>,
}

/// Where chunks are parsed.
enum Parsing {
    /// In the consumer's thread.
    Inline(Chunks),
    /// In parser threads.
    Threads(Receiver<Receiver<io::Result<ParsedChunk>>>),
}

/// A chunk and the result of parsing it.
struct ParsedChunk {
    chunk: Chunk,
    found: Parsed,
}

enum Parsed {
    /// It has not been parsed yet.
    NotYet,
    /// The events of a text, and the end position of its complete events relative to its start.
    Segment(Box<Segment>, Position),
    /// The contents of frames up to the first damaged one, and the number of bytes from that one on.
    Frames(Vec<FrameContent>, u64),
}

/// Opens a history, detecting its format; the path `-` means standard input.
///
/// # Errors
/// When the file cannot be opened, or its first bytes cannot be read.
pub fn events(path: &Path, options: &ReadOptions) -> Result<Events, ReadError> {
    let source = source::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    Events::new(path.to_owned(), source, options)
}

/// Like [`events()`], from any source: bytes in memory (`std::io::Cursor`), a pipe, a socket. Errors refer to it as `name`.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn events_from(name: impl Into<PathBuf>, source: impl Read + Send + 'static, options: &ReadOptions) -> Result<Events, ReadError> {
    Events::new(name.into(), Box::new(source), options)
}

impl Events {
    fn new(path: PathBuf, source: Source, options: &ReadOptions) -> Result<Events, ReadError> {
        let (chunks, context) = source::unpack(source)
            .and_then(|source| Chunks::new(source, options.batch_bytes, options.lenient))
            .map_err(|source| ReadError::Io { path: path.clone(), source })?;
        let state = State { scope: Scope::Start, is_recovering: false };
        let mut events = Events {
            path,
            context: Arc::new(context),
            lane: Parsing::Inline(chunks),
            guess: state,
            state,
            position: Position::START,
            carry: Vec::new(),
            nodes: NodeNames::default(),
            skipped: Skipped::default(),
            torn_bytes: 0,
            is_over: false,
            first: None,
        };
        events.first = events.advance();
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        if threads > 1 && !events.is_over {
            events.guess = State { scope: events.state.scope, is_recovering: false };
            events.start(threads);
        }
        Ok(events)
    }

    /// Hands the chunks over to parser threads.
    fn start(&mut self, threads: usize) {
        let (queue, queued) = mpsc::sync_channel(threads * READ_AHEAD);
        let Parsing::Inline(chunks) = std::mem::replace(&mut self.lane, Parsing::Threads(queued)) else { return };
        let chunks = Arc::new(Mutex::new((chunks, queue)));
        for _ in 0..threads {
            let (chunks, context, guess) = (chunks.clone(), self.context.clone(), self.guess);
            std::thread::spawn(move || while let Some(()) = read_one(&chunks, &context, guess) {});
        }
    }

    /// Returns the detected format.
    pub fn format(&self) -> Format {
        self.context.format
    }

    /// Returns the node names found so far: [`Event::node`] is a position in this list.
    pub fn nodes(&self) -> &[String] {
        self.nodes.names()
    }

    /// Returns what was skipped so far, with [`ReadOptions::lenient`].
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Returns the number of bytes at the end of a journal that are not a whole frame (a torn write), once all events were taken.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Collects the remaining events into a history, and returns what was skipped.
    ///
    /// # Errors
    /// At the first error.
    pub fn into_history(mut self) -> Result<(History, Skipped), ReadError> {
        let mut all = Vec::new();
        for batch in self.by_ref() {
            match batch? {
                batch if all.is_empty() => all = batch,
                mut batch => all.append(&mut batch),
            }
        }
        Ok((History { events: all, nodes: self.nodes.names().to_vec() }, self.skipped))
    }

    /// Returns the next batch, which may be empty; `None` at the end.
    fn advance(&mut self) -> Option<Result<Vec<Event>, ReadError>> {
        if self.is_over {
            return None;
        }
        let result = self.next_reading().and_then(|reading| match reading {
            Some(ParsedChunk { chunk: Chunk::Text { bytes, is_last }, found }) => self.take_text(bytes, is_last, found),
            Some(ParsedChunk { found: Parsed::Frames(contents, torn), .. }) => Ok(self.take_frames(contents, torn)),
            Some(ParsedChunk { chunk: Chunk::Frames { frames, torn_bytes }, .. }) => {
                let (contents, torn) = read_frames(&frames, torn_bytes);
                Ok(self.take_frames(contents, torn))
            }
            None => {
                self.is_over = true;
                Ok(Vec::new())
            }
        });
        self.is_over |= result.is_err();
        Some(result)
    }

    fn next_reading(&mut self) -> Result<Option<ParsedChunk>, ReadError> {
        let next = match &mut self.lane {
            Parsing::Inline(chunks) => {
                chunks.next(&self.context).map(|chunk| chunk.map(|chunk| ParsedChunk { chunk, found: Parsed::NotYet }))
            }
            Parsing::Threads(queue) => match queue.recv() {
                Err(_) => Ok(None),
                Ok(reading) => reading.recv().unwrap_or_else(|_| Err(io::Error::other("a parser thread ended early"))).map(Some),
            },
        };
        next.map_err(|source| ReadError::Io { path: self.path.clone(), source })
    }

    fn take_text(&mut self, mut bytes: Vec<u8>, mut is_last: bool, found: Parsed) -> Result<Vec<Event>, ReadError> {
        let is_as_guessed =
            self.carry.is_empty() && self.state.scope == self.guess.scope && (!self.state.is_recovering || self.context.opens(&bytes));
        let (segment, moved) = match found {
            Parsed::Segment(segment, moved) if is_as_guessed => (*segment, moved),
            _ => {
                if !self.carry.is_empty() {
                    let carried = self.carry.len();
                    bytes = [std::mem::take(&mut self.carry), bytes].concat();
                    // Double the length, so that an event longer than many chunks is not parsed again from its start with each chunk.
                    while !is_last && bytes.len() < 2 * carried {
                        match self.next_reading()? {
                            Some(ParsedChunk { chunk: Chunk::Text { bytes: more, is_last: ends }, .. }) => {
                                bytes.extend(more);
                                is_last = ends;
                            }
                            _ => is_last = true,
                        }
                    }
                }
                read_text(&self.context, &mut bytes, self.state, is_last)
            }
        };
        let explained = Skipped::EXPLAINED.saturating_sub(self.skipped.first.len());
        for error in segment.errors.into_iter().take(explained) {
            self.skipped.first.push(self.position.after(&bytes[..error.at.min(bytes.len())]).error(error.message));
        }
        self.skipped.count += segment.skipped;
        if let Some(error) = segment.fatal {
            let error = self.position.after(&bytes[..error.at.min(bytes.len())]).error(error.message);
            return Err(ReadError::Syntax { path: self.path.clone(), error });
        }
        let mut events = segment.events;
        if let Err(message) = self.nodes.absorb(&segment.nodes, &mut events) {
            return Err(ReadError::Syntax { path: self.path.clone(), error: self.position.error(message) });
        }
        self.position = self.position.plus(moved);
        self.state = segment.state;
        self.carry = bytes.split_off(segment.rest);
        self.is_over = is_last;
        Ok(events)
    }

    fn take_frames(&mut self, contents: Vec<FrameContent>, torn: u64) -> Vec<Event> {
        let mut events = Vec::new();
        for content in contents {
            match content {
                FrameContent::Nodes(names) => self.nodes.replace(names),
                FrameContent::Events(some) if events.is_empty() => events = some,
                FrameContent::Events(mut some) => events.append(&mut some),
            }
        }
        if torn > 0 {
            // Frame boundaries after a damaged frame cannot be trusted.
            self.is_over = true;
            self.torn_bytes = torn;
            while let Ok(Some(ParsedChunk { chunk: Chunk::Frames { frames, torn_bytes }, .. })) = self.next_reading() {
                self.torn_bytes += torn_bytes + length(&frames);
            }
            self.skipped.unreadable_bytes = self.torn_bytes;
        }
        events
    }
}

impl Iterator for Events {
    type Item = Result<Vec<Event>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut next = self.first.take().or_else(|| self.advance());
        while let Some(Ok(batch)) = &next
            && batch.is_empty()
        {
            next = self.advance();
        }
        next
    }
}

/// Takes and parses the next chunk; `None` if there is none, or the consumer is gone.
fn read_one(chunks: &Mutex<(Chunks, SyncSender<Receiver<io::Result<ParsedChunk>>>)>, context: &ParseContext, guess: State) -> Option<()> {
    let (reply, reading) = mpsc::sync_channel(1);
    let chunk = {
        let mut shared = chunks.lock().ok()?;
        let (chunks, queue) = &mut *shared;
        let chunk = chunks.next(context).transpose()?;
        queue.send(reading).ok()?;
        chunk
    };
    let is_error = chunk.is_err();
    let done = chunk.map(|mut chunk| {
        let found = match &mut chunk {
            Chunk::Text { bytes, is_last } => {
                let (segment, moved) = read_text(context, bytes, guess, *is_last);
                Parsed::Segment(Box::new(segment), moved)
            }
            Chunk::Frames { frames, torn_bytes } => {
                let (contents, torn) = read_frames(frames, *torn_bytes);
                Parsed::Frames(contents, torn)
            }
        };
        ParsedChunk { chunk, found }
    });
    reply.send(done).ok()?;
    (!is_error).then_some(())
}

/// Parses a chunk of text; also returns the end position of its complete events relative to its start. In lenient mode, invalid UTF-8 is replaced.
fn read_text(context: &ParseContext, bytes: &mut Vec<u8>, state: State, is_last: bool) -> (Segment, Position) {
    if context.is_lenient && std::str::from_utf8(bytes).is_err() {
        *bytes = String::from_utf8_lossy(bytes).into_owned().into_bytes();
    }
    let segment = segment::read_bytes(context, bytes, state, is_last);
    let moved = Position::START.after(&bytes[..segment.rest]);
    (segment, moved)
}

/// Decodes frames up to the first damaged one; also returns the number of bytes from that one on, including `torn_bytes`.
fn read_frames(frames: &[Frame], torn_bytes: u64) -> (Vec<FrameContent>, u64) {
    let contents: Vec<FrameContent> = frames.iter().map_while(Frame::decode).collect();
    let torn = torn_bytes + length(&frames[contents.len()..]);
    (contents, torn)
}

fn length(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.len() as u64).sum()
}
