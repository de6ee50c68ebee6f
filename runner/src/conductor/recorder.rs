//! Events to disk, without making those who tell them wait.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use elenchus_core::Event;
use elenchus_core::journal::JournalWriter;
use parking_lot::Mutex;
use thiserror::Error;

use super::Watcher;

/// The longest that an event stays in memory only.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// How many events are handed over at once under load.
const BATCH: usize = 8 * 1024;

/// Why a history could not be recorded.
#[derive(Debug, Error)]
pub enum RecorderError {
    /// The operating system refused.
    #[error("the history could not be written: {0}; is the disk full?")]
    Io(#[from] io::Error),
    /// The writing thread is gone.
    #[error("the thread that writes the history ended early; this is a bug in Elenchus")]
    Lost,
}

/// Collects events and has a thread of its own write them to the journal, at most 50 ms after they were recorded.
pub struct Recorder {
    pending: Arc<Mutex<Vec<Event>>>,
    /// Full batches; dropped to end the thread.
    batches: Option<SyncSender<Vec<Event>>>,
    thread: Option<JoinHandle<Result<(), RecorderError>>>,
}

impl Recorder {
    /// Begins a journal in a new file.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, nodes: &[String]) -> Result<Recorder, RecorderError> {
        Recorder::watched(path, nodes, None)
    }

    /// The same; the watcher receives every event that was written.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn watched(path: &Path, nodes: &[String], mut watcher: Option<Watcher>) -> Result<Recorder, RecorderError> {
        let mut writer = JournalWriter::new(File::create(path)?, nodes)?;
        let mut write = move |batch: Vec<Event>| -> Result<(), RecorderError> {
            writer.append(&batch)?;
            watcher = watcher.take().and_then(|watcher| watcher.tell(batch));
            Ok(())
        };
        let pending: Arc<Mutex<Vec<Event>>> = Arc::default();
        // A bounded queue: should the disk not keep up, the run waits for it rather than fill the memory.
        let (batches, received) = mpsc::sync_channel::<Vec<Event>>(64);
        let shared = pending.clone();
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            let mut flushed = Instant::now();
            loop {
                let wait = FLUSH_EVERY.saturating_sub(flushed.elapsed());
                match received.recv_timeout(wait) {
                    Ok(batch) => write(batch)?,
                    Err(RecvTimeoutError::Timeout) => {
                        // Batches that were handed over meanwhile are older than what is pending.
                        let last = {
                            let mut pending = shared.lock();
                            while let Ok(batch) = received.try_recv() {
                                write(batch)?;
                            }
                            std::mem::take(&mut *pending)
                        };
                        write(last)?;
                        flushed = Instant::now();
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        let last = std::mem::take(&mut *shared.lock());
                        return write(last);
                    }
                }
            }
        })?;
        Ok(Recorder { pending, batches: Some(batches), thread: Some(thread) })
    }

    /// Records an event after all those before it.
    pub fn record(&mut self, event: Event) {
        let mut pending = self.pending.lock();
        pending.push(event);
        if pending.len() < BATCH {
            return;
        }
        let Some(batches) = &self.batches else { return };
        match batches.try_send(std::mem::replace(&mut *pending, Vec::with_capacity(BATCH))) {
            Ok(()) => {}
            // The writer is behind: give the batch back and let it grow until the writer takes it with its next flush.
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => *pending = batch,
        }
    }

    /// Whether the writing thread is running.
    pub fn is_writing(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Ends the recording; the thread's result says whether everything was written.
    pub fn close(&mut self) -> Option<JoinHandle<Result<(), RecorderError>>> {
        self.batches = None;
        self.thread.take()
    }
}
