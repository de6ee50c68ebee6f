//! Creating a new cluster.
//!
//! The member with the smallest name creates it, after a majority, itself included, has reported neither a vote nor a log: then no write was ever
//! acknowledged. A member that lost its data while the others kept theirs waits for the leader's entries. After the creation, Raft alone decides.

use std::time::Duration;

use openraft::error::{InitializeError, RaftError};

use crate::service::Service;
use crate::status::status;

const PAUSE: Duration = Duration::from_millis(100);

/// Creates the cluster if this node is the one to do so. Returns once the node belongs to a cluster.
pub(crate) async fn bootstrap(service: &Service) {
    let first = service.members.ids().first() == Some(&service.id);
    while first && !service.raft.is_initialized().await.unwrap_or(true) {
        if majority_is_new(service).await {
            match service.raft.initialize(service.members.ids()).await {
                Ok(()) => tracing::info!("created a cluster of {}", service.members.names().collect::<Vec<_>>().join(", ")),
                Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
                Err(error) => tracing::error!(%error, "cannot create the cluster"),
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
