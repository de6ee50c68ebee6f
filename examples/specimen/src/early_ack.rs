//! The defect `early-ack`: a primary that acknowledges first and replicates later, as asynchronous replication with failover does.
//!
//! The leader applies every change to a copy of the values at once, answers from the copy, and passes the change to Raft without waiting. All changes of
//! its term are applied here in log order, so the copy equals the replicated values as long as the term lasts. If the term ends early, changes that had not
//! reached a quorum are lost, although they were acknowledged.

use serde_json::Value as Json;
use tokio::sync::{Mutex, MutexGuard};

use crate::raft::Change;
use crate::service::{Answer, Refusal, Service};
use crate::state::Values;

/// The copy of the values, and the term in which it was created.
#[derive(Default)]
pub(crate) struct Primary(Mutex<AheadCopy>);

#[derive(Default)]
struct AheadCopy {
    term: u64,
    values: Values,
}

impl Primary {
    /// Applies a change to the copy and passes it to Raft.
    pub(crate) async fn change(&self, service: &Service, change: Change) -> Result<Answer, Refusal> {
        let mut copy = self.copy(service).await?;
        let written = service.raft.client_write_ff(change.clone()).await.map_err(Refusal::unknown)?;
        // The result is ignored, but openraft logs an error if its receiver is dropped.
        tokio::spawn(written);
        Ok(Answer::Changed(copy.values.apply(change)))
    }

    /// The key's value in the copy.
    pub(crate) async fn read(&self, service: &Service, key: &str) -> Result<Json, Refusal> {
        Ok(self.copy(service).await?.values.get(key))
    }

    /// Returns the copy of this term. The first call in a term waits until all entries committed before are applied; later calls ask no quorum.
    async fn copy(&self, service: &Service) -> Result<MutexGuard<'_, AheadCopy>, Refusal> {
        let mut copy = self.0.lock().await;
        let term = service.term();
        if copy.term != term {
            service.confirm().await?;
            *copy = AheadCopy { term, values: service.state.values() };
        }
        Ok(copy)
    }
}
