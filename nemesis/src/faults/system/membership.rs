//! Membership changes, by the system's own commands.
//!
//! ```text
//! member ── remove ──> out ── wipe, add, start ──> member
//! member ── remove, wipe, add, start ──> member, as a new one    (replace)
//! primary ── demote ──> member
//! ```
//!
//! The commands run on the node that is changed, and are sent to a member that answers. Every node's view of the members is polled until it is as expected.

use elenchus_control::command::quote;
use elenchus_control::system::daemon::Daemon;
use elenchus_control::system::{Membership as Commands, Rendered};
use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Changes the members of the system while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Membership {
    /// The nodes. The system must work without them.
    pub targets: Targets,
    /// The change.
    pub change: Change,
}

/// A change of membership.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The node is removed and its processes are killed; at the heal it is added again, without its data.
    #[default]
    Remove,
    /// The node is removed and added again at once, without its data, like a new machine. There is nothing to heal.
    Replace,
    /// The primary steps down. There is nothing to heal.
    Demote,
}

const ABOUT: About = About {
    name: "membership",
    what: "removes members from the system and adds them again, replaces them by new members of the same name, or makes the primary step down",
    how: "the `membership` commands of the system's definition, sent to a member that answers; a node's data is deleted before it is added",
    needs: "a system in the plan whose definition has `membership`; `setsid`",
    verified: "every other member's view of the members, until all agree; if they do not in time, the injection fails",
    healed: "removed nodes are added, and the system is started there; every node's view has all nodes",
    example: "{targets: minority, change: remove}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: true,
};

/// The membership commands as seen from one node.
struct Scene<'a> {
    commands: &'a Commands,
    daemon: &'a Daemon,
    data: &'a [String],
    name: &'a str,
    address: &'a str,
    /// The names and addresses of the others.
    peers: Vec<(&'a str, &'a str)>,
}

impl<'a> Scene<'a> {
    fn new(cluster: &'a Cluster, at: usize, rendered: &'a Rendered) -> Result<Scene<'a>, NemesisError> {
        let commands = rendered.membership.as_ref().ok_or_else(|| NemesisError::Refused(NO_COMMANDS.into()))?;
        let (mut name, mut address, mut peers) = ("", "", Vec::new());
        for (other, node) in cluster.nodes.iter().enumerate() {
            if other == at {
                (name, address) = (&node.name, &node.address);
            } else {
                peers.push((node.name.as_str(), node.address.as_str()));
            }
        }
        Ok(Scene { commands, daemon: &rendered.daemon, data: &rendered.data, name, address, peers })
    }

    /// Defines `view`, which prints the members as the node `$of` sees them; `has`, whether a view names a node; `ask`, which sets `$of` to the first other node that
    /// answers and is a member by its own view, and `$seen` to that view; and `within`, which tries a command until it succeeds.
    fn head(&self, verb: &str) -> String {
        format!(
            ": {verb}\nPATH=$PATH:/usr/sbin:/sbin\nexport of\n\
             view() {{ sh -c {view}; }}\n\
             has() {{ echo \"$1\" | grep -qxF -e \"$2\" -e \"$3\"; }}\n\
             ask() {{\n\
             \x20 for of in {peers}; do seen=$(view 2>/dev/null) && [ -n \"$seen\" ] && case $of in {names}esac && has \"$seen\" \"$of\" \"$name\" && return 0; done\n\
             \x20 echo 'no other member answers' >&2; return 1\n\
             }}\n\
             since() {{ read -r now rest </proc/uptime; echo $((${{now%%.*}} - $1)); }}\n\
             within() {{\n\
             \x20 began=$(since 0)\n\
             \x20 until \"$@\"; do [ $(since $began) -lt {seconds} ] || {{ echo \"$1: not within {within}\" >&2; exit 1; }}; sleep 0.5; done\n\
             }}\n",
            view = quote(&self.commands.view),
            peers = self.peers.iter().map(|(_, address)| quote(address)).collect::<Vec<_>>().join(" "),
            names = self.peers.iter().map(|(name, address)| format!("{}) name={};; ", quote(address), quote(name))).collect::<String>(),
            seconds = self.commands.within.0.as_secs().max(1),
            within = self.commands.within,
        )
    }

    fn is_in(&self, view: &str) -> String {
        format!("has \"{view}\" {} {}", quote(self.address), quote(self.name))
    }

    /// Removes the node, if it is a member, and kills the system there.
    fn remove(&self) -> String {
        format!(
            "go_out() {{ ask && {{ ! {is_in} || sh -c {remove} >/dev/null; }}; }}\nwithin go_out\n( {kill} ) >/dev/null || exit 1\n",
            is_in = self.is_in("$seen"),
            remove = quote(&self.commands.remove),
            kill = self.daemon.kill()
        )
    }

    /// Adds the node, if it is not a member, without its old data, which would be stale. Starts the system there.
    fn add(&self) -> String {
        let wipe: String = self
            .data
            .iter()
            .map(|path| format!("if [ -d {path} ]; then find {path} -mindepth 1 -delete || exit 1; fi\n", path = quote(path)))
            .collect();
        format!(
            "come_in() {{ ask && {{ {is_in} || sh -c {add} >/dev/null; }}; }}\n\
             within ask\nif ! {is_in}; then\n( {kill} ) >/dev/null || exit 1\n{wipe}within come_in\nfi\n( {start} ) || exit 1\n",
            is_in = self.is_in("$seen"),
            add = quote(&self.commands.add),
            kill = self.daemon.kill(),
            start = self.daemon.start()
        )
    }

    /// Succeeds when this node's own view has, or lacks, these others.
    fn sees(&self, others: &[(&str, &str)], are_in: bool) -> String {
        let not = if are_in { "" } else { "! " };
        let each: String =
            others.iter().map(|(name, address)| format!(" && {not}has \"$seen\" {} {}", quote(address), quote(name))).collect();
        format!("sees() {{ of={}; seen=$(view) && [ -n \"$seen\" ]{each}; }}\nwithin sees\n", quote(self.address))
    }
}

const NO_COMMANDS: &str = "the system's definition has no `membership` commands";

impl Membership {
    fn scene<'a>(cluster: &'a Cluster, at: usize) -> Result<Scene<'a>, NemesisError> {
        let node = cluster.nodes.get(at).ok_or_else(|| NemesisError::Refused("the node does not exist".into()))?;
        Scene::new(cluster, at, cluster.system()?.on(&node.name)?)
    }

    /// The actions on a target.
    fn on_target(&self, cluster: &Cluster, at: usize) -> Result<NodeActions, NemesisError> {
        let scene = Membership::scene(cluster, at)?;
        let (head, is_in) = (|verb| scene.head(verb), scene.is_in("$seen"));
        let inject = match self.change {
            Change::Remove => scene.remove(),
            Change::Replace => scene.remove() + &scene.add(),
            Change::Demote => {
                let refused = || NemesisError::Refused("the system's definition has no command `membership.demote`".into());
                let demote = scene.commands.demote.as_ref().ok_or_else(refused)?;
                format!("give_up() {{ ask && sh -c {} >&2; }}\nwithin give_up\n", quote(demote))
            }
        };
        let verify = match self.change {
            Change::Remove => format!("ask || exit 1\nif {is_in}; then echo 'the node is still a member' >&2; exit 1; fi\n"),
            Change::Replace => {
                format!("ask || exit 1\n{is_in} || {{ echo 'the node is not a member' >&2; exit 1; }}\n{}", scene.daemon.assert_running())
            }
            Change::Demote => match cluster.system()?.on(scene.name)?.primary.as_ref() {
                None => ":\n".into(),
                Some(primary) => format!(
                    "led() {{ led=$(sh -c {}); [ \"$led\" != {} ] && [ \"$led\" != {} ]; }}\nwithin led\n",
                    quote(primary),
                    quote(scene.name),
                    quote(scene.address)
                ),
            },
        };
        Ok(NodeActions {
            node: scene.name.to_owned(),
            inject: head("change members") + &inject,
            verify: head("are members changed") + &verify,
            undo: head("restore members") + &scene.add(),
            verify_undone: format!("{}{}( {} )\n", head("are members restored"), all_seen(&scene, cluster), scene.daemon.assert_running()),
        })
    }

    /// The actions on another member, which is polled until its view has the change.
    fn watched(&self, cluster: &Cluster, at: usize, targets: &[(&str, &str)]) -> Result<NodeActions, NemesisError> {
        let scene = Membership::scene(cluster, at)?;
        let sees = scene.head("watch members") + &scene.sees(targets, self.change != Change::Remove);
        let undone = scene.head("watch members") + &all_seen(&scene, cluster);
        Ok(NodeActions { node: scene.name.to_owned(), inject: sees.clone(), verify: sees, undo: ":\n".into(), verify_undone: undone })
    }
}

/// Waits until this node's view has all nodes.
fn all_seen(scene: &Scene<'_>, cluster: &Cluster) -> String {
    let all: Vec<(&str, &str)> = cluster.nodes.iter().map(|node| (node.name.as_str(), node.address.as_str())).collect();
    scene.sees(&all, true)
}

impl Fault for Membership {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        match self.change {
            Change::Remove => format!("{nodes} removed from the members"),
            Change::Replace => format!("{nodes} replaced by new members"),
            Change::Demote => format!("{nodes} made to step down"),
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System, Need::Membership]
    }

    fn check(&self, roster: &Roster) -> Result<(), String> {
        match (&self.targets, self.change) {
            (targets, Change::Demote) if *targets != Targets::Primary => {
                Err("only the primary can step down; set `targets: primary`".into())
            }
            _ if roster.count() < 2 => Err("a system of one node has no member to change".into()),
            (targets, _) if targets.may_be_all(roster) => Err("one member must stay; use `targets` that never are all nodes".into()),
            _ => Ok(()),
        }
    }

    fn actions(&self, cluster: &Cluster, _id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let nodes = cluster.at(&injection.nodes);
        let targets: Vec<(&str, &str)> = nodes.map(|node| (node.name.as_str(), node.address.as_str())).collect();
        if targets.is_empty() {
            return Ok(Vec::new());
        }
        cluster
            .all()
            .into_iter()
            .map(|at| if injection.nodes.contains(&at) { self.on_target(cluster, at) } else { self.watched(cluster, at, &targets) })
            .collect()
    }

    fn time_limit(&self, cluster: &Cluster) -> Span {
        // Removing, adding and agreeing: each may take that long.
        let within = cluster
            .system()
            .ok()
            .and_then(|system| system.definition().membership.as_ref())
            .map_or(Span::secs(0), |commands| commands.within);
        Span(within.0 * 4 + remote_script::LIMIT.0)
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        if cluster.system()?.definition().membership.is_none() {
            return Ok(Vec::new());
        }
        let back = |at| {
            let scene = Membership::scene(cluster, at)?;
            Ok(RemoteScript::new(scene.name, scene.head("restore members") + &scene.add()))
        };
        cluster.all().into_iter().map(back).collect()
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"])]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_stays_and_only_primaries_step_down() {
        let check = |yaml: &str| serde_yaml::from_str::<Membership>(yaml).unwrap().check(&Roster::of(vec!["n1".into(), "n2".into()]));
        assert_eq!(check("{targets: minority}"), Ok(()));
        for all in ["all", "random", "{nodes: [n1, n2]}", "majority"] {
            assert!(check(&format!("{{targets: {all}}}")).unwrap_err().contains("one member must stay"), "{all}");
        }
        assert!(check("{change: demote}").unwrap_err().contains("targets: primary"));
        assert_eq!(check("{targets: primary, change: demote}"), Ok(()));
    }
}
