//! The interface of a fault, and the description of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use elenchus_core::{Rng, Span};

use crate::cluster::Cluster;
use crate::error::NemesisError;
use crate::means::node_down::Recovery;
use crate::means::remote_script::{self, NodeActions, RemoteScript};
use crate::means::requirement::Requirement;
use crate::roster::Roster;
use crate::targets::Targets;

/// A kind of fault with its settings: the value of its key in a line of the plan.
///
/// [`Fault::decide`] makes every random choice, from the seed; everything else is deterministic.
pub trait Fault: Debug + Send + Sync {
    /// Returns the description of its kind.
    fn about(&self) -> &'static About;

    /// The nodes that it is injected into.
    fn targets(&self) -> &Targets;

    /// Describes an injection into these nodes: `n1 and n2 paused`.
    fn describe(&self, nodes: &str) -> String;

    /// Returns the scripts of an injection, for each node that takes part in it. `id` is unique in the run.
    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError>;

    /// Returns scripts that undo every injection of this kind on every node, and fail where they cannot. Idempotent.
    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError>;

    /// Checks the settings; the error states the problem and what was expected.
    fn check(&self, _roster: &Roster) -> Result<(), String> {
        Ok(())
    }

    /// Its requirements on the system, besides those of its targets. See [`needs`](crate::schedule::needs).
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// Its requirements on each node.
    fn requirements(&self) -> Vec<Requirement> {
        Vec::new()
    }

    /// The longest that one of its scripts may run on a node.
    fn time_limit(&self, _cluster: &Cluster) -> Span {
        remote_script::LIMIT
    }

    /// Whether it stays in force until it is healed. If so, it is verified once more just before the heal.
    fn lasts_until_healed(&self) -> bool {
        true
    }

    /// The kinds that it is composed of.
    fn parts(&self) -> Vec<&'static About> {
        Vec::new()
    }

    /// Set for a fault that takes nodes down.
    fn takes_down(&self) -> Option<&dyn TakesDown> {
        None
    }

    /// Set for a fault that needs a file system mounted for the whole run.
    fn mounts(&self) -> Option<&dyn Mounts> {
        None
    }

    /// Chooses targets and details. The roster has passed [`Fault::check`] and [`Targets::check`].
    fn decide(&self, roster: &Roster, rng: &mut Rng) -> Decision {
        let chosen = self.targets().choose(roster, rng);
        let seed = rng.bits();
        chosen.map_or(Decision::Primaries { seed }, |nodes| Decision::Injection(self.injection(roster, nodes, seed)))
    }

    /// Returns the injection into these nodes.
    fn injection(&self, roster: &Roster, nodes: Vec<usize>, seed: u64) -> Injection {
        Injection { description: self.describe(&roster.listed(&nodes)), nodes, grudge: Grudge::new(), seed }
    }
}

/// A fault that takes nodes down. Meanwhile no other fault is injected there, and what was in force there has ended.
pub trait TakesDown {
    /// How a node, given by name, comes back.
    fn recovery(&self, cluster: &Cluster, node: &str) -> Recovery;

    /// Checks that the nodes of this cluster can be taken down and brought back.
    fn check_cluster(&self, _cluster: &Cluster) -> Result<(), String> {
        Ok(())
    }
}

/// A fault that needs a file system on every node, mounted before the system is started and unmounted after the run. Equal mounts of several faults are made once.
pub trait Mounts {
    /// Returns the scripts that mount it, and unmount it as their undo.
    fn mount(&self, cluster: &Cluster) -> Vec<NodeActions>;

    /// Returns scripts that unmount every such file system on every node. Idempotent.
    fn unmount_all(&self, cluster: &Cluster) -> Vec<RemoteScript>;
}

impl dyn Fault + '_ {
    /// Its key in the plan and its name in the history.
    pub fn name(&self) -> &'static str {
        self.about().name
    }

    /// Returns the injection of [`Decision::Primaries`] when these nodes, at least one, are primary.
    pub fn at_primaries(&self, roster: &Roster, primaries: &[usize], seed: u64) -> Injection {
        self.injection(roster, self.targets().at_primaries(roster, primaries), seed)
    }

    /// The names, its own and those of its parts, of which only one injection may be in force on a node.
    pub(crate) fn exclusive_names(&self) -> Vec<&'static str> {
        let all = self.parts().into_iter().chain([self.about()]);
        all.filter(|about| about.overlap == Overlap::Exclusive).map(|about| about.name).collect()
    }
}

/// The description of a kind of fault: a row of the table that `elenchus faults` prints. Cells are phrases without a full stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its key in the plan and its name in the history.
    pub name: &'static str,
    /// Its effect on a cluster.
    pub what: &'static str,
    /// By what means.
    pub how: &'static str,
    /// The requirements on a node, besides `sh` and root.
    pub needs: &'static str,
    /// How an injection is verified on the node.
    pub verified: &'static str,
    /// How it is undone, and how that is verified.
    pub healed: &'static str,
    /// Valid settings for a plan, as YAML: `{targets: one}`.
    pub example: &'static str,
    /// How two injections into the same node interact.
    pub overlap: Overlap,
    /// Whether an injection prints what it affected. If so, one that prints nothing on any node has failed.
    pub reports_effect: bool,
    /// Whether it may lose data or need manual repair: it takes `allow_destructive`.
    pub is_destructive: bool,
}

/// How two injections of one kind into the same node interact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// They are independent: each is undone by itself.
    Independent,
    /// They are one fault, undone with the last to end.
    Shared,
    /// The second is not made.
    Exclusive,
}

/// A requirement of a fault on the system under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A system, to find its processes.
    System,
    /// A system whose definition has a `primary` command.
    Primary,
    /// A system whose definition has `membership` commands.
    Membership,
}

/// For each node, by position, the nodes whose packets it drops. Nodes that drop nothing are absent. The word is Jepsen's.
pub type Grudge = BTreeMap<usize, BTreeSet<usize>>;

/// One injection of a fault: its targets and details.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injection {
    /// The targets, by position.
    pub nodes: Vec<usize>,
    /// For network faults: which node drops the packets of which.
    pub grudge: Grudge,
    /// Seeds the random choices made on the nodes: which bytes, which files.
    pub seed: u64,
    /// A phrase for people: `n1 and n2 paused`.
    pub description: String,
}

/// The part of an injection that could be decided before the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The whole injection.
    Injection(Injection),
    /// Everything but the targets, which depend on the primary at the time of the injection.
    Primaries {
        /// As [`Injection::seed`].
        seed: u64,
    },
}
