//! Faults by the plan's own commands.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::remote_script::RemoteScript;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Roster, Targets};

/// Runs the plan's own commands. Each is a script for `sh`, run as root on the node; its exit status says whether it succeeded.
///
/// `$ELENCHUS_ID` is the injection's number, `$ELENCHUS_SEED` a number from the seed, and `$ELENCHUS_NODE` the node's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shell {
    /// A description for the report: `the cache is empty`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// The nodes.
    pub targets: Targets,
    /// Injects the fault.
    pub inject: String,
    /// Fails unless the fault is in force.
    pub verify: String,
    /// Undoes the fault. It may run more than once, also when the fault is not in force.
    pub heal: String,
    /// Fails unless the fault is undone.
    pub verify_healed: String,
    /// How long each of these commands may take before it is killed and fails.
    #[schemars(with = "String")]
    pub within: Span,
    /// A command that must succeed on every node before the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requires: Option<String>,
}

const ABOUT: About = About {
    name: "shell",
    what: "runs the plan's own commands",
    how: "the plan's command `inject`",
    needs: "the plan's command `requires` succeeds, if there is one",
    verified: "the plan's command `verify` succeeds",
    healed: "the plan's command `heal`; its command `verify_healed` succeeds",
    example: "{inject: 'touch /run/x', verify: 'test -e /run/x', heal: 'rm -f /run/x', verify_healed: 'test ! -e /run/x'}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: false,
};

impl Default for Shell {
    fn default() -> Shell {
        let nothing = String::new;
        Shell {
            says: nothing(),
            targets: Targets::default(),
            inject: nothing(),
            verify: nothing(),
            heal: nothing(),
            verify_healed: nothing(),
            within: Span::secs(25),
            requires: None,
        }
    }
}

impl Shell {
    fn command(&self, verb: &str, command: &str, node: &str, id: u32, seed: u64) -> String {
        // Standard output is reserved for the dead man's switch; a command that hangs must not keep the node from being healed.
        format!(
            ": {verb}\nexport ELENCHUS_ID={id} ELENCHUS_SEED={seed} ELENCHUS_NODE={}\n\
             limit=; if command -v timeout >/dev/null; then limit='timeout {}'; fi\n$limit sh -c {} >&2\n",
            quote(node),
            self.within.0.as_secs().max(1),
            quote(command)
        )
    }
}

impl Fault for Shell {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        if self.says.is_empty() { format!("a command on {nodes}") } else { format!("{} on {nodes}", self.says) }
    }

    fn time_limit(&self, _: &Cluster) -> Span {
        Span(self.within.0 + Span::secs(5).0)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        let commands = [("inject", &self.inject), ("verify", &self.verify), ("heal", &self.heal), ("verify_healed", &self.verify_healed)];
        match commands.iter().find(|(_, command)| command.trim().is_empty()) {
            None => Ok(()),
            Some((key, _)) => Err(format!("the command `{key}` is missing; `inject`, `verify`, `heal` and `verify_healed` are required")),
        }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let nodes = cluster.at(&injection.nodes);
        let actions = nodes.map(|node| {
            let command = |verb, command: &str| self.command(verb, command, &node.name, id, injection.seed);
            NodeActions {
                node: node.name.clone(),
                inject: command("inject", &self.inject),
                verify: command("verify", &self.verify),
                undo: command("heal", &self.heal),
                verify_undone: command("verify healed", &self.verify_healed),
            }
        });
        Ok(actions.collect())
    }

    /// Only the dead man's switches know the commands.
    fn undo_all(&self, _: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(Vec::new())
    }

    fn requirements(&self) -> Vec<crate::Requirement> {
        let needs = self.requires.iter();
        needs
            .map(|test| {
                crate::Requirement::test(format!("( {test}\n) >/dev/null 2>&1"), format!("the plan's command `requires` fails: {test}"))
            })
            .collect()
    }
}
