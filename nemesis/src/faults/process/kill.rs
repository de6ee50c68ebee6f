//! Killing the system's processes, and starting them again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::remote_script::{self, RemoteScript};
use crate::means::requirement::Requirement;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Targets};

/// Kills the system's processes, all at once, and starts the system again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// On which nodes.
    #[serde(default)]
    pub targets: Targets,
    /// By which signal. A process that lives on for five seconds after another than `KILL` makes the fault count as not injected.
    #[serde(default)]
    pub signal: Signal,
}

/// A signal that ends a process that does nothing against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// Nothing can be done against it.
    #[default]
    Kill,
    /// The usual request to end.
    Term,
    /// Ctrl-C.
    Int,
    /// Ctrl-\.
    Quit,
    /// The terminal is gone.
    Hup,
    /// What an assertion that failed does.
    Abrt,
    /// What a broken pointer does.
    Segv,
    /// What a broken file behind a mapping does.
    Bus,
    /// Free to use.
    Usr1,
    /// Free to use.
    Usr2,
    /// A timer has run out.
    Alrm,
    /// Nobody reads what is written.
    Pipe,
    /// What an instruction that there is not does.
    Ill,
    /// What a division by zero does.
    Fpe,
    /// What a breakpoint does that nobody waits for.
    Trap,
    /// What a call does that a filter forbids.
    Sys,
    /// It has had all of its processor time.
    Xcpu,
    /// It has written the largest file that it may.
    Xfsz,
    /// A timer of its own processor time has run out.
    Vtalrm,
    /// A profiler's timer has run out.
    Prof,
}

impl Signal {
    /// As `kill` takes it.
    pub fn name(self) -> String {
        format!("{self:?}").to_uppercase()
    }
}

const ABOUT: About = About {
    name: "kill",
    what: "kills the system's processes, all at once, and starts the system again",
    how: "a signal to every process of the system, repeated until none is left",
    needs: "a system in the plan; `setsid`",
    verified: "no process of the system is left",
    healed: "the system is started; its processes run",
    example: "{targets: primary}",
    overlap: Overlap::Shared,
    reports_effect: true,
    is_destructive: false,
};

impl Fault for Kill {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        match self.signal {
            Signal::Kill => format!("{nodes} killed"),
            other => format!("{nodes} killed by SIG{}", other.name()),
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn actions(&self, cluster: &Cluster, _id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        remote_script::stopping(cluster, &injection.nodes, |daemon| daemon.kill_by(&self.signal.name()))
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        remote_script::start_everywhere(cluster)
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"])]
    }
}
