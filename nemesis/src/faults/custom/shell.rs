//! Whatever a user can write as commands.

use elenchus_control::command::quote;
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Overlap};
use crate::means::remote_script::RemoteScript;
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Roster, Targets};

/// Breaks nodes by the plan's own commands. Each is a script for `sh`, run as root on the node; its exit status says whether it succeeded.
///
/// They find the injection's number in `$ELENCHUS_ID`, a number from the seed in `$ELENCHUS_SEED`, and the node in `$ELENCHUS_NODE`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shell {
    /// What it does, for the report: `the cache is empty`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub says: String,
    /// On which nodes.
    pub targets: Targets,
    /// Breaks the node.
    pub inject: String,
    /// Fails unless the node is broken.
    pub verify: String,
    /// Puts the node right. It may be run more than once, on a node that is not broken too.
    pub heal: String,
    /// Fails unless the node is right again.
    pub verify_healed: String,
    /// How long each of these commands may take; it is ended then, and has failed.
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
        // Standard output is told apart from what the switch prints; a command that hangs must not keep the node from being healed.
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
            Some((key, _)) => {
                Err(format!("the command `{key}` is missing; a fault is injected, verified, healed, and verified to be healed"))
            }
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

    /// What the plan's commands left behind only the switches of the nodes know.
    fn undo_all(&self, _: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(Vec::new())
    }

    fn requirements(&self) -> Vec<crate::Requirement> {
        let needs = self.requires.iter();
        needs
            .map(|test| crate::Requirement::test(format!("( {test}\n) >/dev/null 2>&1"), format!("what the plan requires fails: {test}")))
            .collect()
    }
}
