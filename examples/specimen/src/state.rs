//! The state machine: the keys and their values.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{AnyError, EmptyNode, EntryPayload, OptionalSend, RaftSnapshotBuilder, SnapshotMeta, StorageIOError, StoredMembership};
use parking_lot::RwLock;
use serde_json::Value as Json;

use crate::raft::{Applied, Change, Entry, LogId, Step, StorageError, Types, Word};

/// The keys and their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(HashMap<String, Json>);

impl Values {
    /// The value of the key; null if it was never set.
    pub(crate) fn get(&self, key: &str) -> Json {
        self.0.get(key).cloned().unwrap_or(Json::Null)
    }

    pub(crate) fn apply(&mut self, change: Change) -> Applied {
        match change {
            Change::CompareAndSet { key, expect, .. } if self.get(&key) != expect => return Applied::default(),
            Change::Put { key, value } | Change::CompareAndSet { key, value, .. } => drop(self.0.insert(key, value)),
            Change::Append { key, element } => self.push(key, element),
            Change::Transaction { steps } => {
                let reads = steps.into_iter().filter_map(|step| self.step(step)).collect();
                return Applied { swapped: true, reads };
            }
        };
        Applied { swapped: true, reads: Vec::new() }
    }

    /// The results of read-only steps; none if one of them writes.
    pub(crate) fn read_only(&self, steps: &[Step]) -> Option<Vec<Json>> {
        steps.iter().map(|Step(word, key, _)| (*word == Word::R).then(|| self.get(key))).collect()
    }

    fn step(&mut self, Step(word, key, argument): Step) -> Option<Json> {
        match word {
            Word::R => return Some(self.get(&key)),
            Word::W => drop(self.0.insert(key, argument)),
            Word::Append | Word::Add => self.push(key, argument),
            Word::Inc => {
                let sum = self.get(&key).as_i64().unwrap_or_default().saturating_add(argument.as_i64().unwrap_or_default());
                self.0.insert(key, sum.into());
            }
        }
        None
    }

    fn push(&mut self, key: String, element: Json) {
        match self.0.entry(key).or_insert_with(|| Json::Array(Vec::new())) {
            Json::Array(items) => items.push(element),
            other => *other = Json::Array(vec![element]),
        }
    }
}

#[derive(Debug, Default)]
struct Held {
    values: Values,
    applied: Option<LogId>,
    membership: StoredMembership<u64, EmptyNode>,
}

/// The state that results from the committed entries. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct State(Arc<RwLock<Held>>);

impl State {
    pub(crate) fn get(&self, key: &str) -> Json {
        self.0.read().values.get(key)
    }

    /// The results of read-only steps at one moment; none if one of them writes.
    pub(crate) fn read_only(&self, steps: &[Step]) -> Option<Vec<Json>> {
        self.0.read().values.read_only(steps)
    }

    /// A copy of all values.
    pub(crate) fn values(&self) -> Values {
        self.0.read().values.clone()
    }
}

impl RaftStateMachine<Types> for State {
    type SnapshotBuilder = State;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership<u64, EmptyNode>), StorageError> {
        let held = self.0.read();
        Ok((held.applied, held.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut held = self.0.write();
        let apply = |entry: Entry| {
            held.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => Applied::default(),
                EntryPayload::Normal(change) => held.values.apply(change),
                EntryPayload::Membership(membership) => {
                    held.membership = StoredMembership::new(Some(entry.log_id), membership);
                    Applied::default()
                }
            }
        };
        Ok(entries.into_iter().map(apply).collect())
    }

    async fn get_snapshot_builder(&mut self) -> State {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError> {
        Err(no_snapshots())
    }

    async fn install_snapshot(&mut self, _: &SnapshotMeta<u64, EmptyNode>, _: Box<Cursor<Vec<u8>>>) -> Result<(), StorageError> {
        Err(no_snapshots())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        Ok(None)
    }
}

impl RaftSnapshotBuilder<Types> for State {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        Err(no_snapshots())
    }
}

/// Never requested: the snapshot policy is `Never` and the log is never purged, so every node can catch up by log entries.
fn no_snapshots() -> StorageError {
    StorageIOError::read_snapshot(None, AnyError::error("the specimen keeps its whole log and does not take snapshots")).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compare_and_set_sets_only_if_the_value_matches() {
        let mut values = Values::default();
        let mut cas = |expect, value| values.apply(Change::CompareAndSet { key: "x".into(), expect, value }).swapped;
        assert!(!cas(json!(1), json!(2)));
        assert!(cas(Json::Null, json!(1)));
        assert!(!cas(json!("1"), json!(2)));
        assert!(cas(json!(1), json!({ "a": [2] })));
        assert!(cas(json!({ "a": [2] }), json!(3)));
        assert_eq!(values.apply(Change::Put { key: "x".into(), value: json!(4) }), Applied { swapped: true, reads: Vec::new() });
        assert_eq!((values.get("x"), values.get("y")), (json!(4), Json::Null));
    }

    #[test]
    fn the_steps_of_a_transaction_see_those_before_them() {
        let step = |word, key: &str, argument| Step(word, key.into(), argument);
        let mut values = Values::default();
        let steps = vec![
            step(Word::R, "list", Json::Null),
            step(Word::Append, "list", json!(1)),
            step(Word::R, "list", Json::Null),
            step(Word::Inc, "count", json!(2)),
            step(Word::R, "count", Json::Null),
        ];
        let applied = values.apply(Change::Transaction { steps });
        assert_eq!(applied.reads, [Json::Null, json!([1]), json!(2)]);
        assert_eq!(values.read_only(&[step(Word::R, "list", Json::Null)]), Some(vec![json!([1])]));
        assert_eq!(values.read_only(&[step(Word::W, "list", json!(1))]), None);
    }
}
