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
    /// The nodes.
    #[serde(default)]
    pub targets: Targets,
    /// The signal. If a process survives another signal than `KILL` for five seconds, the injection fails.
    #[serde(default)]
    pub signal: Signal,
}

/// A signal whose default action ends a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Signal {
    /// SIGKILL, which cannot be handled.
    #[default]
    Kill,
    /// The usual request to terminate.
    Term,
    /// Ctrl-C.
    Int,
    /// Ctrl-\.
    Quit,
    /// The terminal is gone.
    Hup,
    /// A failed assertion.
    Abrt,
    /// An invalid memory access.
    Segv,
    /// An access to a mapping beyond its file.
    Bus,
    /// Free to use.
    Usr1,
    /// Free to use.
    Usr2,
    /// A timer has expired.
    Alrm,
    /// A pipe without reader.
    Pipe,
    /// An invalid instruction.
    Ill,
    /// An arithmetic error, as a division by zero.
    Fpe,
    /// A breakpoint without debugger.
    Trap,
    /// A system call that a filter forbids.
    Sys,
    /// The limit of processor time is exceeded.
    Xcpu,
    /// The limit of file size is exceeded.
    Xfsz,
    /// A timer of processor time has expired.
    Vtalrm,
    /// A profiling timer has expired.
    Prof,
}

impl Signal {
    /// Its name as `kill` takes it.
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
