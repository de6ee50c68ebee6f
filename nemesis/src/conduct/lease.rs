//! Telling the nodes that the control node lives.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use elenchus_control::Command;
use futures_util::future::join_all;

use super::Run;
use crate::{Cluster, switch};

impl Run<'_> {
    /// Renews the lease of every node on which a switch is armed, for ever.
    pub(super) async fn keep_leases(&self) -> Infallible {
        let every = switch::renewal(self.campaign.safety.lease.0);
        loop {
            tokio::time::sleep(every).await;
            let armed = self.active(|active| {
                let leased = active.iter().filter(|one| one.is_leased);
                leased.flat_map(|one| one.held.reach.clone()).collect::<BTreeSet<usize>>()
            });
            let mut armed = self.names(armed);
            // Who is down is told nothing.
            let down = self.down();
            armed.retain(|node| !down.contains(node));
            renew(self.cluster, &armed, every).await;
        }
    }
}

/// Renews the lease of these nodes. A node that cannot be told is told at the next turn.
pub(super) async fn renew(cluster: &Cluster, on: &[String], every: Duration) {
    let nodes = cluster.nodes.iter().filter(|node| on.contains(&node.name));
    join_all(nodes.map(|node| async {
        // Two turns at most, with connecting: a node that does not answer keeps the others waiting.
        if let Err(error) = node.host.run_soon(Command::sh(&switch::renew()).timeout(every * 2)).await {
            tracing::warn!(node = node.name, "its lease could not be renewed: {error}");
        }
    }))
    .await;
}
