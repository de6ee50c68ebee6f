//! Faults that limit the system's processes by a cgroup.

use std::fmt::Debug;

use crate::fault::{About, Fault, Injection, Need};
use crate::means::cgroup::{self, Limit};
use crate::means::remote_script::{self, NodeActions, RemoteScript};
use crate::means::requirement::Requirement;
use crate::{Cluster, NemesisError, Roster, Targets};

/// A fault that limits the system's processes while it lasts. Each is a [`Fault`].
pub(crate) trait Limiting: Debug + Send + Sync {
    /// See [`Fault::about`].
    fn about(&self) -> &'static About;

    /// See [`Fault::targets`].
    fn targets(&self) -> &Targets;

    /// See [`Fault::describe`].
    fn describe(&self, nodes: &str) -> String;

    /// See [`Fault::check`].
    fn check(&self) -> Result<(), String>;

    /// Returns the limit.
    fn limit(&self) -> Limit;

    /// Whether the limit may end the system, so that it is started again when the limit is lifted.
    fn may_end_system(&self) -> bool {
        false
    }
}

impl<L: Limiting> Fault for L {
    fn about(&self) -> &'static About {
        Limiting::about(self)
    }

    fn targets(&self) -> &Targets {
        Limiting::targets(self)
    }

    fn describe(&self, nodes: &str) -> String {
        Limiting::describe(self, nodes)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        Limiting::check(self)
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let (limit, fault) = (self.limit(), Limiting::about(self).name);
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| {
            let limited = limit.actions(fault, &format!("{fault}-{id}"), node, daemon);
            if !self.may_end_system() {
                return limited;
            }
            NodeActions {
                undo: format!("( {} ) && ( {} )", limited.undo, daemon.start()),
                verify_undone: format!("( {} ) && ( {} )", limited.verify_undone, daemon.assert_running()),
                ..limited
            }
        })
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        let mut scripts = cgroup::undo_all(cluster);
        if self.may_end_system() {
            scripts.extend(remote_script::start_everywhere(cluster)?);
        }
        Ok(scripts)
    }

    fn requirements(&self) -> Vec<Requirement> {
        let start = self.may_end_system().then(|| Requirement::command(&["setsid"]));
        std::iter::once(self.limit().requirement()).chain(start).collect()
    }
}
