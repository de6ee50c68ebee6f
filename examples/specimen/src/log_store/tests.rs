use openraft::StorageError;
use openraft::testing::{StoreBuilder, Suite};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::journal::{Durability, open};
use crate::raft::Change;
use crate::state::State;

struct Builder;

impl StoreBuilder<Types, LogStore, State, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, State), StorageError<u64>> {
        let directory = tempfile::tempdir().unwrap();
        let log = reopen(&directory);
        Ok((directory, log, State::default()))
    }
}

fn reopen(directory: &TempDir) -> LogStore {
    let (writer, records) = open(directory.path(), "n1", &["n1".into()], Durability::Synced).unwrap();
    LogStore::new(records, writer)
}

fn entry(term: u64, index: u64) -> Entry {
    let change = Change::Put { key: "x".into(), value: json!([term, index]) };
    Entry { log_id: LogId::new(openraft::CommittedLeaderId::new(term, 1), index), payload: openraft::EntryPayload::Normal(change) }
}

/// Openraft's own storage tests, except those that purge, take snapshots, or need a state that is ahead of the log.
#[test]
fn the_log_store_passes_the_tests_of_openraft() {
    macro_rules! hold {
        ($($test:ident)*) => {
            [$((stringify!($test), {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async {
                    let (_directory, log, state) = Builder.build().await?;
                    Suite::<Types, LogStore, State, Builder, TempDir>::$test(log, state).await
                })
            })),*]
        };
    }
    let results = hold! {
        last_membership_in_log_initial last_membership_in_log last_membership_in_log_multi_step get_membership_initial
        get_membership_from_log_and_empty_sm get_membership_from_empty_log_and_sm get_membership_from_log_le_sm_last_applied
        get_membership_from_log_gt_sm_last_applied_1 get_membership_from_log_gt_sm_last_applied_2 get_initial_state_without_init
        get_initial_state_with_state get_initial_state_last_log_gt_sm
        save_vote get_log_entries limited_get_log_entries initial_logs last_applied_state apply_single apply_multiple
    };
    for (test, result) in results {
        assert!(result.is_ok(), "{test}: {result:?}");
    }
}

#[tokio::test]
async fn the_log_is_the_same_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = reopen(&directory);
    for index in 0..10 {
        log.writer.store(&log.remember(Record::Entries(vec![entry(1, index)]))).await.unwrap();
    }
    log.save_vote(&Vote::new(2, 3)).await.unwrap();
    log.save_committed(Some(entry(1, 4).log_id)).await.unwrap();
    log.truncate(entry(1, 7).log_id).await.unwrap();
    log.writer.store(&log.remember(Record::Entries(vec![entry(2, 7)]))).await.unwrap();
    let (entries, held) = (log.try_get_log_entries(..).await.unwrap(), log.get_log_state().await.unwrap());
    assert_eq!((entries.len(), held.last_log_id), (8, Some(entry(2, 7).log_id)));

    let mut again = reopen(&directory);
    assert_eq!(again.try_get_log_entries(..).await.unwrap(), entries);
    assert_eq!(again.get_log_state().await.unwrap(), held);
    assert_eq!(again.read_vote().await.unwrap(), Some(Vote::new(2, 3)));
    assert_eq!(again.read_committed().await.unwrap(), Some(entry(1, 4).log_id));
}

#[test]
fn a_committed_index_beyond_the_log_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, _) = open(directory.path(), "n1", &["n1".into()], Durability::Synced).unwrap();
    let log = LogStore::new(vec![Record::Entries(vec![entry(1, 0)]), Record::Committed(entry(1, 1).log_id)], writer);
    assert_eq!(log.held.read().committed, None);
}

/// Others may have committed what a leader had not synced: it must not lead with the rest.
#[tokio::test]
async fn a_restarted_leader_must_be_elected_again() {
    let directory = tempfile::tempdir().unwrap();
    reopen(&directory).save_vote(&Vote::new_committed(2, 3)).await.unwrap();
    assert_eq!(reopen(&directory).read_vote().await.unwrap(), Some(Vote::new(2, 3)));
}
