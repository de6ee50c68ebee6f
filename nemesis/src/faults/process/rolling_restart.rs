//! Rolling restarts.

use elenchus_control::command::quote;
use elenchus_core::{Seed, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::job::{self, Job};
use crate::means::node_lock;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Restarts the system on one node after the other, as an upgrade does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RollingRestart {
    /// The nodes, in an order that the seed decides.
    pub targets: Targets,
    /// How long the system is down on each node.
    #[schemars(with = "String")]
    pub down: Span,
    /// How long it is up on all nodes before the next.
    #[schemars(with = "String")]
    pub pause: Span,
    /// Whether it is killed instead of stopped gracefully.
    pub kill: bool,
}

impl Default for RollingRestart {
    fn default() -> RollingRestart {
        RollingRestart { targets: Targets::All, down: Span::secs(1), pause: Span::secs(2), kill: false }
    }
}

const ABOUT: About = About {
    name: "rolling",
    what: "restarts the system on one node after the other, as an upgrade does",
    how: "a background job on each node that waits for its turn, stops the system, and starts it again",
    needs: "a system in the plan; `setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is killed; the system is started; its processes run",
    example: "{down: 2s}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

impl Fault for RollingRestart {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} restarted one after the other")
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.down.0.is_zero() { Err("`down` must be greater than zero".into()) } else { Ok(()) }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let stop = &cluster.system()?.definition().stop;
        let mut order = injection.nodes.clone();
        Seed(injection.seed).stream("rolling").shuffle(&mut order);
        let turn = self.down.0 + self.pause.0;
        let mut actions = Vec::new();
        for (place, at) in order.into_iter().enumerate() {
            let made = remote_script::on_daemons(cluster, &[at], |node, daemon| {
                let end = if self.kill { daemon.kill() } else { daemon.stop(stop) };
                let command = format!(
                    "sleep {}; sh -c {}; sleep {}; {}; sleep 100000000",
                    (turn * place as u32).as_secs_f64(),
                    quote(&end),
                    self.down.0.as_secs_f64(),
                    node_lock::with_undo_lock(&daemon.start())
                );
                Job::new(ABOUT.name, id, command).around(node, daemon)
            })?;
            actions.extend(made);
        }
        Ok(actions)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        job::undo_all_and_start(cluster, ABOUT.name)
    }

    fn requirements(&self) -> Vec<Requirement> {
        Requirement::commands(&["setsid", "pkill"])
    }
}
