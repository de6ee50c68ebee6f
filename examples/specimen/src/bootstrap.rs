//! How a new cluster comes to be.
//!
//! The member with the smallest name makes it, once it knows that a majority, itself included, has neither a vote nor a log: where a majority has
//! nothing, nothing was ever acknowledged. When it has lost its own data and the others have theirs, it waits for the leader to bring it up to date.
//! After that it is Raft alone that decides.

use std::time::Duration;

use openraft::error::{InitializeError, RaftError};

use crate::service::Service;
use crate::status::status;

const PAUSE: Duration = Duration::from_millis(100);

/// Makes the cluster if it is this node's part to do so. Returns once the node belongs to one.
pub(crate) async fn bootstrap(service: &Service) {
    let first = service.members.ids().first() == Some(&service.id);
    while first && !service.raft.is_initialized().await.unwrap_or(true) {
        if majority_is_new(service).await {
            match service.raft.initialize(service.members.ids()).await {
                Ok(()) => tracing::info!("made a new cluster of {}", service.members.names().collect::<Vec<_>>().join(", ")),
                Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
                Err(error) => tracing::error!(%error, "cannot make the cluster"),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn majority_is_new(service: &Service) -> bool {
    let ids = service.members.ids();
    let mut new = 1;
    for address in ids.iter().filter(|&&id| id != service.id).filter_map(|&id| service.members.address(id)) {
        match status(&service.http, address).await {
            Ok(status) if status.initialized => return false,
            Ok(_) => new += 1,
            Err(error) => tracing::debug!(%error, address, "no answer yet"),
        }
    }
    new > ids.len() / 2
}
