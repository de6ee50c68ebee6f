//! A node's status.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A node's view of itself and the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// The leader, as far as the node knows.
    pub leader: Option<String>,
    /// Its Raft term.
    pub term: u64,
    /// `leader`, `follower`, `candidate`, or `learner`, which every node is until it has heard from the cluster.
    pub role: String,
    /// Whether it has a vote or a log.
    pub initialized: bool,
    /// The index of its last log entry.
    pub last: Option<u64>,
    /// The index of the last entry it has applied.
    pub applied: Option<u64>,
    /// The enabled defect.
    pub defect: Option<String>,
}

/// Requests the status of the node at this address (`host:port`).
///
/// # Errors
/// When no valid status arrives within two seconds.
pub(crate) async fn status(http: &reqwest::Client, address: &str) -> reqwest::Result<Status> {
    let answer = http.get(format!("http://{address}/v1/status")).timeout(Duration::from_secs(2)).send().await?;
    answer.error_for_status()?.json().await
}
