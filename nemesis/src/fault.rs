//! What every kind of fault can do.

use std::fmt::Debug;

use elenchus_core::{Rng, Span};

use crate::about::{About, Overlap};
use crate::absence::Comeback;
use crate::errand::{self, Errand};
use crate::grudge::Grudge;
use crate::requirement::Requirement;
use crate::{Cluster, NemesisError, Roster, Targets};

/// One injection of a fault, decided: to whom, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// The nodes it is done to, by position.
    pub nodes: Vec<usize>,
    /// Who stops hearing whom, for faults of the network.
    pub grudge: Grudge,
    /// Decides what is left to chance on the nodes: which bytes, which files.
    pub seed: u64,
    /// What exactly, in a sentence.
    pub what: String,
}

/// What the seed decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Everything.
    Deed(Deed),
    /// All but who is primary when the time comes.
    Primaries {
        /// As [`Deed::seed`].
        seed: u64,
    },
}

/// What is done on one node: scripts for `sh`, as root, that say on standard error why they failed.
///
/// They are text so that they can be written down before the injection, on the control node and on the node itself, and be run by another process after a crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The node's name.
    pub node: String,
    /// Does it.
    pub inject: String,
    /// Fails unless it is in force.
    pub verify: String,
    /// Undoes it. Idempotent, and harmless when it was never done.
    pub undo: String,
    /// Fails unless it is undone.
    pub verify_undone: String,
}

/// A kind of fault with its settings: the value of its key in a line of the plan.
///
/// What is random is decided by [`Fault::aim`] alone, from the seed; all else is determined.
pub trait Fault: Debug + Send + Sync {
    /// What is known of its kind.
    fn about(&self) -> &'static About;

    /// Which nodes it strikes.
    fn targets(&self) -> &Targets;

    /// What it does to nodes, in a sentence: `n1 and n2 paused`.
    fn what(&self, nodes: &str) -> String;

    /// What is done on each node that has a part in a deed. `id` numbers the injections of a run.
    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError>;

    /// What undoes every injection of this kind on every node, and fails where it cannot. Idempotent.
    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError>;

    /// For a fault that takes nodes down: how a node comes back, by its name. Other faults are not made there meanwhile, and what was in force there is over.
    fn comeback(&self, _cluster: &Cluster, _node: &str) -> Option<Comeback> {
        None
    }

    /// The longest that any of its scripts may take on one node.
    fn limit(&self, _cluster: &Cluster) -> Span {
        errand::LIMIT
    }

    /// For a fault that is made of others: theirs.
    fn parts(&self) -> Vec<&'static About> {
        Vec::new()
    }

    /// Whether it is in force until it is healed, unless something is wrong.
    fn lasts(&self) -> bool {
        true
    }

    /// Whether it takes nodes down.
    fn takes_down(&self) -> bool {
        false
    }

    /// Whether it can be done to this cluster, and else why not.
    fn check_cluster(&self, _cluster: &Cluster) -> Result<(), String> {
        Ok(())
    }

    /// What it needs of the nodes.
    fn requirements(&self) -> Vec<Requirement> {
        Vec::new()
    }

    /// For a fault that needs the helper: what shows on a node, when the helper is there, that it can do its part.
    fn trial(&self) -> Option<Requirement> {
        None
    }

    /// What it needs to be in place on every node from before the system is started until all is over. What several need is put in place once.
    fn stage(&self, _cluster: &Cluster) -> Vec<Work> {
        Vec::new()
    }

    /// What takes away whatever of its kind's [`Fault::stage`] may be in place on any node. Idempotent.
    fn unstage(&self, _cluster: &Cluster) -> Vec<Errand> {
        Vec::new()
    }

    /// Whether its settings make sense, and else why not.
    fn check(&self, _roster: &Roster) -> Result<(), String> {
        Ok(())
    }

    /// Whether it needs a system, to know its processes.
    fn needs_system(&self) -> bool {
        self.needs_primary()
    }

    /// Whether it needs a system with a `primary` command.
    fn needs_primary(&self) -> bool {
        self.targets().by_role()
    }

    /// Whether it needs a system whose members can be changed.
    fn needs_membership(&self) -> bool {
        false
    }

    /// Whether it is seen, from what the injection printed on each node, that somebody was struck.
    fn is_felt(&self, _printed: &[String]) -> bool {
        true
    }

    /// Chooses whom to strike, and how. The roster has passed [`Fault::check`] and that of its targets.
    fn aim(&self, roster: &Roster, rng: &mut Rng) -> Aim {
        let chosen = self.targets().choose(roster, rng);
        let seed = rng.bits();
        chosen.map_or(Aim::Primaries { seed }, |nodes| Aim::Deed(self.deed(roster, nodes, seed)))
    }

    /// What [`Aim::Primaries`] comes to when these are the primaries, at least one.
    fn at_primaries(&self, roster: &Roster, primaries: &[usize], seed: u64) -> Deed {
        self.deed(roster, self.targets().at_primaries(roster, primaries), seed)
    }

    /// The deed that strikes these nodes.
    fn deed(&self, roster: &Roster, nodes: Vec<usize>, seed: u64) -> Deed {
        Deed { what: self.what(&roster.listed(&nodes)), nodes, grudge: Grudge::new(), seed }
    }
}

impl dyn Fault + '_ {
    /// Its key in the plan and its name in the history.
    pub fn name(&self) -> &'static str {
        self.about().name
    }

    /// The names of the faults, itself and what it is made of, of which no two may be in force on one node.
    pub(crate) fn alone(&self) -> Vec<&'static str> {
        let all = self.parts().into_iter().chain([self.about()]);
        all.filter(|about| about.overlap == Overlap::Never).map(|about| about.name).collect()
    }
}
