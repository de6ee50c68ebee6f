//! Appending to the file, on a thread of its own, so that nothing else waits for the disk.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Record, frame};

/// How long the defect `lost-fsync` keeps back what it has acknowledged.
const DELAY: Duration = Duration::from_millis(500);

/// When a record is reported as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// When it is on the disk.
    Synced,
    /// When it is written: nothing is ever synced. A defect.
    Unsynced,
    /// At once: it is kept in memory for [`DELAY`] and then written. A defect.
    Delayed,
}

type Done = Box<dyn FnOnce(io::Result<()>) + Send>;

struct Job {
    bytes: Vec<u8>,
    /// Whether `done` waits for the disk.
    sync: bool,
    done: Done,
}

/// Appends records in the order given. Clones write to the same file; what is accepted is written even when all of them are dropped.
#[derive(Clone)]
pub(crate) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    pub(super) fn start(file: File, durability: Durability) -> Writer {
        let (jobs, queue) = channel();
        let disk = Disk { file, failed: None };
        thread::spawn(move || match durability {
            Durability::Synced => at_once(disk, &queue, true),
            Durability::Unsynced => at_once(disk, &queue, false),
            Durability::Delayed => delayed(disk, &queue),
        });
        Writer { jobs }
    }

    /// Appends a record and reports to `done`, from another thread, when it is durable.
    pub(crate) fn append(&self, record: &Record, done: impl FnOnce(io::Result<()>) + Send + 'static) {
        self.send(record, true, Box::new(done));
    }

    /// Appends a record and waits until it is durable.
    ///
    /// # Errors
    /// The disk's. After one error nothing is written any more, since nobody can know what of it arrived.
    pub(crate) async fn store(&self, record: &Record) -> io::Result<()> {
        let (sender, stored) = oneshot::channel();
        self.append(record, |result| drop(sender.send(result)));
        stored.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Appends a record that may be lost.
    pub(crate) fn note(&self, record: &Record) {
        self.send(record, false, Box::new(drop));
    }

    /// Waits until everything accepted so far is on the disk, whatever the defect.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        let (sender, flushed) = oneshot::channel();
        // No bytes: the sign to write all that is kept back.
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
    /// The first error. What was written after it could be garbage in the middle of the file.
    failed: Option<String>,
}

impl Disk {
    fn write(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        if let Some(error) = &self.failed {
            return Err(io::Error::other(format!("the log could not be written earlier: {error}")));
        }
        let written = self.file.write_all(bytes).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if let Err(error) = &written {
            tracing::error!(%error, "the log cannot be written");
            self.failed = Some(error.to_string());
        }
        written
    }
}

/// Takes all that waits at once, so that one sync, if there is one, serves it all.
fn at_once(mut disk: Disk, queue: &Receiver<Job>, syncs: bool) {
    while let Ok(first) = queue.recv() {
        let jobs: Vec<Job> = std::iter::once(first).chain(queue.try_iter()).collect();
        let bytes = jobs.iter().flat_map(|job| &job.bytes).copied().collect::<Vec<u8>>();
        let result = disk.write(&bytes, syncs && jobs.iter().any(|job| job.sync));
        for job in jobs {
            (job.done)(result.as_ref().copied().map_err(|error| io::Error::other(error.to_string())));
        }
    }
}

/// Reports everything as stored at once, and writes it when it is [`DELAY`] old, so that a kill always loses as much.
fn delayed(mut disk: Disk, queue: &Receiver<Job>) {
    let mut kept: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    loop {
        let wait = kept.front().map_or(Duration::MAX, |(due, _)| due.saturating_duration_since(Instant::now()));
        match queue.recv_timeout(wait) {
            Ok(job) if !job.bytes.is_empty() => {
                kept.push_back((Instant::now() + DELAY, job.bytes));
                (job.done)(Ok(()));
            }
            Ok(flush) => (flush.done)(disk.write(&taken(&mut kept, |_| true), true)),
            // Its error is reported to whoever flushes at the end.
            Err(RecvTimeoutError::Timeout) => drop(disk.write(&taken(&mut kept, |due| due <= Instant::now()), false)),
            Err(RecvTimeoutError::Disconnected) => break drop(disk.write(&taken(&mut kept, |_| true), true)),
        }
    }
}

/// Takes away, from the front, what is to be written.
fn taken(kept: &mut VecDeque<(Instant, Vec<u8>)>, ripe: impl Fn(Instant) -> bool) -> Vec<u8> {
    let count = kept.partition_point(|(due, _)| ripe(*due));
    kept.drain(..count).flat_map(|(_, bytes)| bytes).collect()
}
