//! The defect `early-ack`: a primary that acknowledges first and replicates later, as asynchronous replication with failover does.
//!
//! While it leads, the node applies every change to a copy of the values at once, answers from the copy, and gives the change to Raft without waiting.
//! All changes of its term pass through here in one order, so that the copy is what the values will be, if the term lasts. If it does not, the
//! changes that had not reached a quorum are gone, though they were acknowledged.

use serde_json::Value as Json;
use tokio::sync::{Mutex, MutexGuard};

use crate::raft::Change;
use crate::service::{Answer, Refusal, Service};
use crate::state::Values;

/// The copy of the values, and the term in which it was made.
#[derive(Default)]
pub(crate) struct Primary(Mutex<Ahead>);

#[derive(Default)]
struct Ahead {
    term: u64,
    values: Values,
}

impl Primary {
    /// Applies a change to the copy and lets Raft follow.
    pub(crate) async fn change(&self, service: &Service, change: Change) -> Result<Answer, Refusal> {
        let mut copy = self.copy(service).await?;
        let written = service.raft.client_write_ff(change.clone()).await.map_err(Refusal::unknown)?;
        // Nobody waits for it, but Raft complains when nobody listens.
        tokio::spawn(written);
        Ok(Answer::Changed(copy.values.apply(change)))
    }

    /// What the copy says of the key.
    pub(crate) async fn read(&self, service: &Service, key: &str) -> Result<Json, Refusal> {
        Ok(self.copy(service).await?.values.get(key))
    }

    /// The copy of this term. The first in a term waits until all that was committed before is applied; nothing after it asks a quorum.
    async fn copy(&self, service: &Service) -> Result<MutexGuard<'_, Ahead>, Refusal> {
        let mut copy = self.0.lock().await;
        let term = service.term();
        if copy.term != term {
            service.confirm().await?;
            *copy = Ahead { term, values: service.state.values() };
        }
        Ok(copy)
    }
}
