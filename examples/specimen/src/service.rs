//! A node's handling of operations: the leader performs them, any other node forwards them to the leader.
//!
//! A refusal says whether the operation may have had an effect. The effect is `none` only where the change was never passed to Raft. A change that was passed to
//! Raft may be committed at any later time, whatever error Raft reported meanwhile.

use std::time::Duration;

use openraft::ServerState;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::defect::Defect;
use crate::early_ack::Primary;
use crate::members::Members;
use crate::raft::{Applied, Change, Raft, Vote};
use crate::state::State;
use crate::status::Status;

/// The path for operations forwarded by other nodes.
pub(crate) const FORWARD: &str = "/peer/operation";

/// How long the leader waits for a quorum.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long another node waits for the leader: longer, so that the leader's own error arrives.
const FORWARD_PATIENCE: Duration = Duration::from_secs(4);

/// A client's request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Operation {
    Read { key: String },
    Change(Change),
}

/// The answer to a client's request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Value(Json),
    Changed(Applied),
}

/// Whether a refused operation had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// It had none and will have none.
    None,
    /// It may have had one, or may still have one.
    Unknown,
}

/// A refused operation, as the client sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) error: String,
    pub(crate) effect: Effect,
}

impl Refusal {
    pub(crate) fn none(error: impl ToString) -> Refusal {
        Refusal { error: error.to_string(), effect: Effect::None }
    }

    pub(crate) fn unknown(error: impl ToString) -> Refusal {
        Refusal { error: error.to_string(), effect: Effect::Unknown }
    }
}

/// The service of one node.
pub(crate) struct Service {
    pub(crate) id: u64,
    pub(crate) members: Members,
    pub(crate) raft: Raft,
    pub(crate) state: State,
    pub(crate) http: reqwest::Client,
    pub(crate) defect: Option<Defect>,
    pub(crate) primary: Primary,
}

impl Service {
    /// Performs an operation for a client, on this node or through the leader.
    pub(crate) async fn perform(&self, operation: Operation) -> Result<Answer, Refusal> {
        if self.defect == Some(Defect::StaleReads)
            && let Some(answer) = self.read_locally(&operation)
        {
            return Ok(answer);
        }
        let leader = self.raft.metrics().borrow().current_leader;
        match leader {
            None => Err(Refusal::none("no leader is known")),
            Some(id) if id == self.id => self.perform_here(operation).await,
            Some(id) => self.forward(id, &operation).await,
        }
    }

    /// The answer from this node's own state, for an operation that only reads.
    fn read_locally(&self, operation: &Operation) -> Option<Answer> {
        match operation {
            Operation::Read { key } => Some(Answer::Value(self.state.get(key))),
            Operation::Change(Change::Transaction { steps }) => {
                Some(Answer::Changed(Applied { swapped: true, reads: self.state.read_only(steps)? }))
            }
            Operation::Change(_) => None,
        }
    }

    /// Performs an operation as the leader; refuses it when this node is not the leader.
    pub(crate) async fn perform_here(&self, operation: Operation) -> Result<Answer, Refusal> {
        if self.raft.metrics().borrow().state != ServerState::Leader {
            return Err(Refusal::none(format!("{} does not lead", self.name())));
        }
        let early = self.defect == Some(Defect::EarlyAck);
        match operation {
            Operation::Read { key } if early => self.primary.read(self, &key).await.map(Answer::Value),
            Operation::Read { key } => self.read(&key).await.map(Answer::Value),
            Operation::Change(change) if early => self.primary.change(self, change).await,
            Operation::Change(change) => self.change(change).await,
        }
    }

    async fn read(&self, key: &str) -> Result<Json, Refusal> {
        self.confirm().await?;
        Ok(self.state.get(key))
    }

    /// Waits until a quorum has confirmed that this node is the leader, and all entries committed before are applied.
    pub(crate) async fn confirm(&self) -> Result<(), Refusal> {
        match timeout(PATIENCE, self.raft.ensure_linearizable()).await {
            Ok(confirmed) => confirmed.map(drop).map_err(Refusal::none),
            Err(_) => Err(Refusal::none(format!("no quorum confirmed within {PATIENCE:?} that {} leads", self.name()))),
        }
    }

    async fn change(&self, change: Change) -> Result<Answer, Refusal> {
        match timeout(PATIENCE, self.raft.client_write(change)).await {
            Ok(Ok(written)) => Ok(Answer::Changed(written.data)),
            // Raft reports the same error for a change that it did not accept and for one that it accepted and abandoned.
            Ok(Err(error)) => Err(Refusal::unknown(error)),
            Err(_) => Err(Refusal::unknown(format!("no quorum took the write within {PATIENCE:?}"))),
        }
    }

    async fn forward(&self, leader: u64, operation: &Operation) -> Result<Answer, Refusal> {
        let address = self.members.address(leader).unwrap_or_default();
        let may_change = matches!(operation, Operation::Change(_));
        let failed = |error: reqwest::Error| {
            let text = format!("the leader {} did not answer: {}", self.members.name(leader).unwrap_or("?"), innermost(&error));
            if may_change && !error.is_connect() { Refusal::unknown(text) } else { Refusal::none(text) }
        };
        let request = self.http.post(format!("http://{address}{FORWARD}")).timeout(FORWARD_PATIENCE).json(operation);
        request.send().await.map_err(failed)?.json::<Result<Answer, Refusal>>().await.map_err(failed)?
    }

    fn name(&self) -> &str {
        self.members.name(self.id).unwrap_or("?")
    }

    pub(crate) fn term(&self) -> u64 {
        self.raft.metrics().borrow().current_term
    }

    /// The node's view of itself and the cluster. Does not wait for Raft, which may be waiting for the disk.
    pub(crate) fn status(&self) -> Status {
        let metrics = self.raft.metrics().borrow().clone();
        Status {
            name: self.name().to_owned(),
            leader: metrics.current_leader.and_then(|id| self.members.name(id)).map(str::to_owned),
            term: metrics.current_term,
            role: format!("{:?}", metrics.state).to_lowercase(),
            initialized: metrics.last_log_index.is_some() || metrics.vote != Vote::default(),
            last: metrics.last_log_index,
            applied: metrics.last_applied.map(|id| id.index),
            defect: self.defect.map(|defect| defect.name().to_owned()),
        }
    }
}

/// The innermost cause: the outer ones only locate the error in the library.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
