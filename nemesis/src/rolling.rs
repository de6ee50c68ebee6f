//! Restarting the system on one node after the other.

use elenchus_control::command::quote;
use elenchus_core::{Seed, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::job::{self, Job};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work, switch};

/// Restarts the system on one node after the other, each for a while, as an upgrade does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rolling {
    /// On which nodes; in which order, the seed decides.
    pub targets: Targets,
    /// How long each is down.
    #[schemars(with = "String")]
    pub down: Span,
    /// How long all are up before the next.
    #[schemars(with = "String")]
    pub pause: Span,
    /// By a kill rather than in order.
    pub kill: bool,
}

impl Default for Rolling {
    fn default() -> Rolling {
        Rolling { targets: Targets::All, down: Span::secs(1), pause: Span::secs(2), kill: false }
    }
}

const ABOUT: About = About {
    name: "rolling",
    what: "restarts the system on one node after the other, as an upgrade does",
    how: "a job on each node that waits for its turn, stops the system, and starts it again",
    needs: "a system in the plan; `setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is ended and gone; the system's start command; its processes are there",
    overlap: Overlap::Never,
    is_destructive: false,
};

impl Fault for Rolling {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} restarted one after the other")
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.down.0.is_zero() { Err("`down` must be longer than nothing".into()) } else { Ok(()) }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let stop = &cluster.system()?.definition().stop;
        let mut order = deed.nodes.clone();
        Seed(deed.seed).stream("rolling").shuffle(&mut order);
        let turn = self.down.0 + self.pause.0;
        let mut works = Vec::new();
        for (place, at) in order.into_iter().enumerate() {
            let made = errand::on_daemons(cluster, &[at], |node, daemon| {
                let end = if self.kill { daemon.kill() } else { daemon.stop(stop) };
                let command = format!(
                    "sleep {}; sh -c {}; sleep {}; {}; sleep 100000000",
                    (turn * place as u32).as_secs_f64(),
                    quote(&end),
                    self.down.0.as_secs_f64(),
                    switch::in_turn(&daemon.start())
                );
                Job::new(ABOUT.name, id, command).around(node, daemon)
            })?;
            works.extend(made);
        }
        Ok(works)
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        job::sweep_and_start(cluster, ABOUT.name)
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"]), Requirement::command(&["pkill"])]
    }
}
