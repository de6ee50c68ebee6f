//! A history's events, batch by batch, in bounded memory.
//!
//! The bytes are cut into pieces ([`super::pieces`]), pieces are read by several threads at once ([`super::segment`]), and here their events are put in order
//! again. A thread takes the next piece and its place in the queue under one lock, so that the queue has the order of the history; the queue is short, so that no
//! thread runs far ahead of who takes the events.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};

use super::error::{Position, ReadError, Skipped};
use super::format::Format;
use super::nodes::NodeNames;
use super::pieces::{Piece, Pieces};
use super::segment::{self, Language, Scope, Segment, State};
use super::source::{self, Source};
use crate::journal::{Frame, FrameContent};
use crate::{Event, History};

/// How a history is read.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Leaves out what makes no sense, and counts it, instead of refusing the whole.
    pub lenient: bool,
    /// How many threads read; 0 for as many as there are cores.
    pub threads: usize,
    /// How much text is read into one batch, in bytes. Memory is bounded by a small multiple of this for each thread.
    pub batch_bytes: usize,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions { lenient: false, threads: 0, batch_bytes: 512 << 10 }
    }
}

/// How many pieces may be read ahead for each thread.
const READ_AHEAD: usize = 2;

/// The events of a history that is still being read: batches in order, each of some thousand events. Ends after the first error.
///
/// Dropping it ends the threads that read.
pub struct Events {
    path: PathBuf,
    language: Arc<Language>,
    lane: Lane,
    /// What the threads take to be known where a piece begins.
    guess: State,
    /// What is known at the place that was reached.
    state: State,
    position: Position,
    /// What was read but has to be read again with what follows.
    carry: Vec<u8>,
    nodes: NodeNames,
    skipped: Skipped,
    torn_bytes: u64,
    is_over: bool,
    /// The first batch, by which it was seen what the threads may take to be known.
    first: Option<Result<Vec<Event>, ReadError>>,
}

/// Who reads.
enum Lane {
    /// Whoever asks for events.
    Here(Pieces),
    /// Threads.
    Threads(Receiver<Receiver<io::Result<Reading>>>),
}

/// A piece, and what was read from it.
struct Reading {
    piece: Piece,
    found: Found,
}

enum Found {
    /// Nobody has read it yet.
    Nothing,
    /// Events of a text, and by how much its whole events move the position on.
    Segment(Box<Segment>, Position),
    /// What is in frames, up to the first that is damaged; and how many bytes are left from that one on.
    Frames(Vec<FrameContent>, u64),
}

/// Opens a history in any known format, told apart by its content; `-` is the standard input.
///
/// # Errors
/// When it cannot be opened, or its first bytes cannot be read.
pub fn events(path: &Path, options: &ReadOptions) -> Result<Events, ReadError> {
    let source = source::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    Events::new(path.to_owned(), source, options)
}

/// As [`events()`], from any source: bytes in memory (`std::io::Cursor`), a pipe, a socket. Errors call it by `name`.
///
/// # Errors
/// When its first bytes cannot be read.
pub fn events_from(name: impl Into<PathBuf>, source: impl Read + Send + 'static, options: &ReadOptions) -> Result<Events, ReadError> {
    Events::new(name.into(), Box::new(source), options)
}

impl Events {
    fn new(path: PathBuf, source: Source, options: &ReadOptions) -> Result<Events, ReadError> {
        let (pieces, language) = source::unpack(source)
            .and_then(|source| Pieces::new(source, options.batch_bytes, options.lenient))
            .map_err(|source| ReadError::Io { path: path.clone(), source })?;
        let state = State { scope: Scope::Start, is_recovering: false };
        let mut events = Events {
            path,
            language: Arc::new(language),
            lane: Lane::Here(pieces),
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

    /// Hands the pieces over to threads.
    fn start(&mut self, threads: usize) {
        let (queue, queued) = mpsc::sync_channel(threads * READ_AHEAD);
        let Lane::Here(pieces) = std::mem::replace(&mut self.lane, Lane::Threads(queued)) else { return };
        let pieces = Arc::new(Mutex::new((pieces, queue)));
        for _ in 0..threads {
            let (pieces, language, guess) = (pieces.clone(), self.language.clone(), self.guess);
            std::thread::spawn(move || while let Some(()) = read_one(&pieces, &language, guess) {});
        }
    }

    /// The format that was found.
    pub fn format(&self) -> Format {
        self.language.format
    }

    /// The names of nodes that were met so far: [`Event::node`] is a position here.
    pub fn nodes(&self) -> &[String] {
        self.nodes.names()
    }

    /// What was left out so far, where [`ReadOptions::lenient`] allows it.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Bytes at the end of a journal that belong to no whole frame, once all events were taken: a kill tore them off.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// All events that are left, as a history, and what was left out of it.
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

    /// The next events, of which there may be none yet; none when it is over.
    fn advance(&mut self) -> Option<Result<Vec<Event>, ReadError>> {
        if self.is_over {
            return None;
        }
        let result = self.next_reading().and_then(|reading| match reading {
            Some(Reading { piece: Piece::Text { bytes, is_last }, found }) => self.take_text(bytes, is_last, found),
            Some(Reading { found: Found::Frames(contents, torn), .. }) => Ok(self.take_frames(contents, torn)),
            Some(Reading { piece: Piece::Frames { frames, torn_bytes }, .. }) => {
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

    fn next_reading(&mut self) -> Result<Option<Reading>, ReadError> {
        let next = match &mut self.lane {
            Lane::Here(pieces) => pieces.next(&self.language).map(|piece| piece.map(|piece| Reading { piece, found: Found::Nothing })),
            Lane::Threads(queue) => match queue.recv() {
                Err(_) => Ok(None),
                Ok(reading) => reading.recv().unwrap_or_else(|_| Err(io::Error::other("a thread that read ended early"))).map(Some),
            },
        };
        next.map_err(|source| ReadError::Io { path: self.path.clone(), source })
    }

    fn take_text(&mut self, mut bytes: Vec<u8>, mut is_last: bool, found: Found) -> Result<Vec<Event>, ReadError> {
        let is_as_guessed =
            self.carry.is_empty() && self.state.scope == self.guess.scope && (!self.state.is_recovering || self.language.opens(&bytes));
        let (segment, moved) = match found {
            Found::Segment(segment, moved) if is_as_guessed => (*segment, moved),
            _ => {
                if !self.carry.is_empty() {
                    let carried = self.carry.len();
                    bytes = [std::mem::take(&mut self.carry), bytes].concat();
                    // An event that is longer than many pieces shall not be begun with each of them.
                    while !is_last && bytes.len() < 2 * carried {
                        match self.next_reading()? {
                            Some(Reading { piece: Piece::Text { bytes: more, is_last: ends }, .. }) => {
                                bytes.extend(more);
                                is_last = ends;
                            }
                            _ => is_last = true,
                        }
                    }
                }
                read_text(&self.language, &mut bytes, self.state, is_last)
            }
        };
        let explained = Skipped::EXPLAINED.saturating_sub(self.skipped.first.len());
        for fault in segment.faults.into_iter().take(explained) {
            self.skipped.first.push(self.position.after(&bytes[..fault.at.min(bytes.len())]).error(fault.message));
        }
        self.skipped.count += segment.skipped;
        if let Some(fault) = segment.fatal {
            let error = self.position.after(&bytes[..fault.at.min(bytes.len())]).error(fault.message);
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
            // What follows a damaged frame cannot be trusted to be what was written after it.
            self.is_over = true;
            self.torn_bytes = torn;
            while let Ok(Some(Reading { piece: Piece::Frames { frames, torn_bytes }, .. })) = self.next_reading() {
                self.torn_bytes += torn_bytes + length(&frames);
            }
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

/// Takes and reads the next piece; none when there is none, or nobody wants more.
fn read_one(pieces: &Mutex<(Pieces, SyncSender<Receiver<io::Result<Reading>>>)>, language: &Language, guess: State) -> Option<()> {
    let (reply, reading) = mpsc::sync_channel(1);
    let piece = {
        let mut shared = pieces.lock().ok()?;
        let (pieces, queue) = &mut *shared;
        let piece = pieces.next(language).transpose()?;
        queue.send(reading).ok()?;
        piece
    };
    let is_error = piece.is_err();
    let done = piece.map(|mut piece| {
        let found = match &mut piece {
            Piece::Text { bytes, is_last } => {
                let (segment, moved) = read_text(language, bytes, guess, *is_last);
                Found::Segment(Box::new(segment), moved)
            }
            Piece::Frames { frames, torn_bytes } => {
                let (contents, torn) = read_frames(frames, *torn_bytes);
                Found::Frames(contents, torn)
            }
        };
        Reading { piece, found }
    });
    reply.send(done).ok()?;
    (!is_error).then_some(())
}

/// Reads a part of a text, and says by how much its whole events move the position on. Bytes that are no text are replaced where that is allowed.
fn read_text(language: &Language, bytes: &mut Vec<u8>, state: State, is_last: bool) -> (Segment, Position) {
    if language.is_lenient && std::str::from_utf8(bytes).is_err() {
        *bytes = String::from_utf8_lossy(bytes).into_owned().into_bytes();
    }
    let segment = segment::read_bytes(language, bytes, state, is_last);
    let moved = Position::START.after(&bytes[..segment.rest]);
    (segment, moved)
}

/// What is in frames, up to the first that is damaged; and the bytes from that one on, with those that follow the frames.
fn read_frames(frames: &[Frame], torn_bytes: u64) -> (Vec<FrameContent>, u64) {
    let contents: Vec<FrameContent> = frames.iter().map_while(Frame::decode).collect();
    let torn = torn_bytes + length(&frames[contents.len()..]);
    (contents, torn)
}

fn length(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| frame.len() as u64).sum()
}
