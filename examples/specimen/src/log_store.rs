//! Raft's log: cached in memory, stored in the journal.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{AnyError, OptionalSend, RaftLogReader, StorageIOError};
use parking_lot::RwLock;

use crate::journal::{Record, Writer};
use crate::raft::{Entry, LogId, StorageError, Types, Vote};

/// The log of a node. Clones share it.
#[derive(Clone)]
pub(crate) struct LogStore {
    held: Arc<RwLock<Held>>,
    writer: Writer,
}

#[derive(Debug, Default)]
struct Held {
    entries: BTreeMap<u64, Entry>,
    vote: Option<Vote>,
    committed: Option<LogId>,
}

impl Held {
    fn replay(&mut self, record: Record) {
        match record {
            Record::Owner { .. } => {}
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Entries(entries) => self.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry))),
            Record::Truncate { since } => drop(self.entries.split_off(&since)),
            Record::Committed(upto) => self.committed = Some(upto),
        }
    }
}

impl LogStore {
    /// Builds the log from the journal's records.
    pub(crate) fn new(records: Vec<Record>, writer: Writer) -> LogStore {
        let mut held = Held::default();
        records.into_iter().for_each(|record| held.replay(record));
        // The committed index may refer to entries that a defect has lost.
        let last = held.entries.last_key_value().map(|(&index, _)| index);
        held.committed = held.committed.filter(|committed| Some(committed.index) <= last);
        LogStore { held: Arc::new(RwLock::new(held)), writer }
    }

    /// Applies the record in memory, as replaying it would, and returns it.
    fn remember(&self, record: Record) -> Record {
        self.held.write().replay(record.clone());
        record
    }
}

fn write_error(error: &io::Error) -> StorageError {
    StorageIOError::write_logs(AnyError::new(error)).into()
}

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        Ok(self.held.read().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let last_log_id = self.held.read().entries.last_key_value().map(|(_, entry)| entry.log_id);
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        let record = self.remember(Record::Vote(*vote));
        self.writer.store(&record).await.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        // After a restart, openraft lets a former leader continue to lead with the log that it finds. But a power failure may have lost entries that this node had not
        // synced and that others committed. Clearing `committed` makes the node win an election first.
        Ok(self.held.read().vote.map(|vote| Vote { committed: false, ..vote }))
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), StorageError> {
        if let Some(upto) = committed {
            self.writer.note(&self.remember(Record::Committed(upto)));
        }
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.held.read().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let record = self.remember(Record::Entries(entries.into_iter().collect()));
        self.writer.append(&record, |result| callback.log_io_completed(result));
        Ok(())
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        let record = self.remember(Record::Truncate { since: since.index });
        self.writer.store(&record).await.map_err(|error| write_error(&error))
    }

    /// Purges nothing: see [`crate::journal`].
    async fn purge(&mut self, _: LogId) -> Result<(), StorageError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
