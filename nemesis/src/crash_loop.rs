//! A system that crashes as soon as it has come back, again and again.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::job::{self, Job};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work, switch};

/// Kills the system's processes and starts the system again, over and over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrashLoop {
    /// On which nodes.
    pub targets: Targets,
    /// How long it lives each time.
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
    what: "has the system crash as soon as it has come back, again and again",
    how: "a job on the node that kills the system's processes, starts the system, and waits",
    needs: "a system in the plan; `setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is ended and gone; the system's start command; its processes are there",
    overlap: Overlap::Never,
    is_destructive: false,
};

impl Fault for CrashLoop {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} crashing every {}", self.lives)
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.lives.0.as_millis() < 100 { Err("`lives` must be 100ms or longer".into()) } else { Ok(()) }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |node, daemon| {
            let (kill, start, lives) = (quote(&daemon.kill()), switch::in_turn(&daemon.start()), self.lives.0.as_secs_f64());
            Job::new(ABOUT.name, id, format!("while :; do sh -c {kill}; {start}; sleep {lives}; done")).around(node, daemon)
        })
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        job::sweep_and_start(cluster, ABOUT.name)
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"]), Requirement::command(&["pkill"])]
    }
}
