//! A system that crashes again and again.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::job::{self, Job};
use crate::means::node_lock;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Kills the system's processes and starts the system again, repeatedly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrashLoop {
    /// The nodes.
    pub targets: Targets,
    /// How long the system runs between kills.
    #[schemars(with = "String")]
    pub lives: Span,
}

impl Default for CrashLoop {
    fn default() -> CrashLoop {
        CrashLoop { targets: Targets::One, lives: Span::secs(1) }
    }
}

const ABOUT: About = About {
    name: "crash_loop",
    what: "kills the system soon after each start, again and again",
    how: "a background job on the node that kills the system's processes, starts the system, and waits",
    needs: "a system in the plan; `setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is killed; the system is started; its processes run",
    example: "{lives: 2s}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

impl Fault for CrashLoop {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} crashing every {}", self.lives)
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.lives.0.as_millis() < 100 { Err("`lives` must be 100ms or longer".into()) } else { Ok(()) }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| {
            let (kill, start, lives) = (quote(&daemon.kill()), node_lock::with_undo_lock(&daemon.start()), self.lives.0.as_secs_f64());
            Job::new(ABOUT.name, id, format!("while :; do sh -c {kill}; {start}; sleep {lives}; done")).around(node, daemon)
        })
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        job::undo_all_and_start(cluster, ABOUT.name)
    }

    fn requirements(&self) -> Vec<Requirement> {
        Requirement::commands(&["setsid", "pkill"])
    }
}
