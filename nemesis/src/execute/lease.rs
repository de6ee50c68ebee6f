//! Renewing the leases of nodes, so that their dead man's switches stay quiet.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use elenchus_control::Command;
use futures_util::future::join_all;

use super::{Run, dead_mans_switch};
use crate::Cluster;

impl Run<'_> {
    /// Renews, forever, the lease of every node on which a switch is armed.
    pub(super) async fn keep_leases(&self) -> Infallible {
        let every = dead_mans_switch::renewal_interval(self.schedule.safety.lease.0);
        loop {
            tokio::time::sleep(every).await;
            let armed = self.active(|active| {
                let leased = active.iter().filter(|one| one.is_leased);
                leased.flat_map(|one| one.fault.reach.clone()).collect::<BTreeSet<usize>>()
            });
            let mut armed = self.names(armed);
            let down = self.down();
            armed.retain(|node| !down.contains(node));
            renew(self.cluster, &armed, every).await;
        }
    }
}

/// Renews the lease of these nodes. A failure is logged; the next renewal tries again.
pub(super) async fn renew(cluster: &Cluster, on: &[String], every: Duration) {
    let nodes = cluster.nodes.iter().filter(|node| on.contains(&node.name));
    join_all(nodes.map(|node| async {
        // At most two intervals, with connecting: a node that does not answer delays the renewal of the others.
        if let Err(error) = node.host.run_within_timeout(Command::sh(&dead_mans_switch::renew()).timeout(every * 2)).await {
            tracing::warn!(node = node.name, "its lease could not be renewed: {error}");
        }
    }))
    .await;
}
