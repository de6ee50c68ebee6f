//! Appending to the file, in a thread of its own: other tasks do not wait for the disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Record, frame};

/// The time for which the defect `lost-fsync` delays writing.
const DELAY: Duration = Duration::from_millis(500);

/// The moment at which a record is reported as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// After fsync.
    Synced,
    /// After the write: nothing is ever synced. A defect.
    Unsynced,
    /// Immediately: the record is kept in memory for [`DELAY`] and then written. A defect.
    Delayed,
}

type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

struct Job {
    bytes: Vec<u8>,
    /// Whether `done` requires an fsync.
    sync: bool,
    done: Done,
}

/// Appends records in order. Clones write to the same file. Accepted records are written even after all clones are dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    pub(super) fn start(file: File, durability: Durability) -> Writer {
        let (jobs, queue) = channel();
        let disk = Disk { file, failed: None };
        thread::spawn(move || match durability {
            Durability::Synced => write_at_once(disk, &queue, true),
            Durability::Unsynced => write_at_once(disk, &queue, false),
            Durability::Delayed => write_delayed(disk, &queue),
        });
        Writer { jobs }
    }

    /// Appends a record and calls `done`, from another thread, when it is durable.
    pub(crate) fn append(&self, record: &Record, done: impl FnOnce(io::Result<()>) + Send + 'static) {
        self.send(record, true, Box::new(done));
    }

    /// Appends a record and waits until it is durable.
    ///
    /// # Errors
    /// The first error of the disk, now or earlier: after it nothing is written, because it is unknown how much of the failed write reached the file.
    pub(crate) async fn store(&self, record: &Record) -> io::Result<()> {
        let (sender, stored) = oneshot::channel();
        self.append(record, |result| drop(sender.send(result)));
        stored.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Appends a record that may be lost.
    pub(crate) fn note(&self, record: &Record) {
        self.send(record, false, Box::new(drop));
    }

    /// Waits until all records accepted so far are durable, whatever the defect.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let (sender, flushed) = oneshot::channel();
        // A job without bytes requests that all delayed records are written.
        drop(self.jobs.send(Job { bytes: Vec::new(), sync: true, done: Box::new(|result| drop(sender.send(result))) }));
        flushed.await.unwrap_or_else(|_| Err(ended()))
    }

    fn send(&self, record: &Record, sync: bool, done: Done) {
        let mut bytes = Vec::new();
        match frame::encode(record, &mut bytes) {
            Err(error) => done(Err(error.into())),
            Ok(()) => {
                if let Err(refused) = self.jobs.send(Job { bytes, sync, done }) {
                    (refused.0.done)(Err(ended()));
                }
            }
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that writes the log has ended")
}

struct Disk {
    file: File,
    /// The first error. Records written after it could follow garbage in the middle of the file.
    failed: Option<String>,
}

impl Disk {
    fn write(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        if let Some(error) = &self.failed {
            return Err(io::Error::other(format!("an earlier write to the log failed: {error}")));
        }
        let written = self.file.write_all(bytes).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = &written {
            tracing::error!(%error, "cannot write the log");
            self.failed = Some(error.to_string());
        }
        written
    }
}

/// Writes all queued records together, with one fsync at most.
fn write_at_once(mut disk: Disk, queue: &Receiver<Job>, syncs: bool) {
    while let Ok(first) = queue.recv() {
        let jobs: Vec<Job> = std::iter::once(first).chain(queue.try_iter()).collect();
        let bytes = jobs.iter().flat_map(|job| &job.bytes).copied().collect::<Vec<u8>>();
        let result = disk.write(&bytes, syncs && jobs.iter().any(|job| job.sync));
        for job in jobs {
            (job.done)(result.as_ref().copied().map_err(|error| io::Error::other(error.to_string())));
        }
    }
}

/// Reports every record as stored at once, and writes it after [`DELAY`], so that a kill always loses the same span of time.
fn write_delayed(mut disk: Disk, queue: &Receiver<Job>) {
    let mut kept: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    loop {
        let wait = kept.front().map_or(Duration::MAX, |(due, _)| due.saturating_duration_since(Instant::now()));
        match queue.recv_timeout(wait) {
            Ok(job) if !job.bytes.is_empty() => {
                kept.push_back((Instant::now() + DELAY, job.bytes));
                (job.done)(Ok(()));
            }
            Ok(flush) => (flush.done)(disk.write(&take_due(&mut kept, |_| true), true)),
            // An error is reported by the flush at the end.
            Err(RecvTimeoutError::Timeout) => drop(disk.write(&take_due(&mut kept, |due| due <= Instant::now()), false)),
            Err(RecvTimeoutError::Disconnected) => break drop(disk.write(&take_due(&mut kept, |_| true), true)),
        }
    }
}

/// Removes the records that are due from the front, and returns their bytes.
fn take_due(kept: &mut VecDeque<(Instant, Vec<u8>)>, is_due: impl Fn(Instant) -> bool) -> Vec<u8> {
    let count = kept.partition_point(|(due, _)| is_due(*due));
    kept.drain(..count).flat_map(|(_, bytes)| bytes).collect()
}
