//! The defect `early-ack`: a primary that acknowledges first and replicates later.
//!
//! While it leads, the node applies every change to a copy of the values at once, answers from the copy, and gives the change to Raft without waiting.
//! All changes of its term pass through here in one order, so that the copy is what the values will be, if the term lasts. If it does not, the
//! changes that had not reached a quorum are gone, though they were acknowledged.

use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::raft::Change;
use crate::service::{Answer, Refusal, Service};
use crate::state::Values;

/// The copy of the values, and the term in which it was made.
#[derive(Default)]
pub(crate) struct Primary(Mutex<Option<(u64, Values)>>);

impl Primary {
    /// Applies a change to the copy and lets Raft follow.
    pub(crate) async fn change(&self, service: &Service, change: Change) -> Result<Answer, Refusal> {
        let mut copy = self.0.lock().await;
        let term = service.term();
        if copy.as_ref().is_none_or(|(made, _)| *made != term) {
            service.confirm().await?;
            *copy = Some((term, service.state.values()));
        }
        let written = service.raft.client_write_ff(change.clone()).await.map_err(Refusal::unknown)?;
        // Nobody waits for it, but Raft complains when nobody listens.
        tokio::spawn(written);
        let applied = copy.as_mut().map(|(_, values)| values.apply(change));
        Ok(Answer::Changed { swapped: applied.is_some_and(|applied| applied.swapped) })
    }

    /// What the copy of this term says of the key; nothing when there is none.
    pub(crate) async fn get(&self, term: u64, key: &str) -> Option<Json> {
        self.0.lock().await.as_ref().filter(|(made, _)| *made == term).map(|(_, values)| values.get(key))
    }
}
