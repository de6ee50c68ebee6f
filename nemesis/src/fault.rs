//! What every kind of fault can do.

use std::fmt::Debug;

use elenchus_core::{BoxFuture, Rng};

use crate::errand::{self, Errand};
use crate::grudge::Grudge;
use crate::{Cluster, NemesisError};

/// One injection of a fault, decided: to whom, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deed {
    /// The nodes it is done to, by position.
    pub nodes: Vec<usize>,
    /// Who stops hearing whom, for faults of the network.
    pub grudge: Grudge,
    /// What exactly, in a sentence.
    pub what: String,
}

/// What the seed decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Everything.
    Deed(Deed),
    /// Whoever is primary when the time comes.
    Primaries,
}

/// A kind of fault with its settings: the value of its key in a line of the plan.
///
/// What is random is decided by [`Fault::aim`] alone, from the seed; all else is determined. [`Fault::inverse`] and [`Fault::proof`] are scripts rather than code so
/// that they can be written down before the injection and run by another process after a crash.
pub trait Fault: Debug + Send + Sync {
    /// Its key in the plan and its name in the history.
    fn name(&self) -> &'static str;

    /// Whether it can be done to a cluster of these nodes, and else why not.
    fn check(&self, nodes: &[String]) -> Result<(), String>;

    /// Whether it needs a system with a `primary` command.
    fn needs_primary(&self) -> bool;

    /// Whether it needs a system, to know its processes.
    fn needs_system(&self) -> bool;

    /// Chooses whom to strike. The nodes have passed [`Fault::check`].
    fn aim(&self, nodes: &[String], rng: &mut Rng) -> Aim;

    /// What [`Aim::Primaries`] comes to when these are the primaries, at least one.
    fn at_primaries(&self, nodes: &[String], primaries: &[usize]) -> Deed;

    /// Does it. `id` numbers the injections of a run.
    fn inject<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>>;

    /// Fails unless it is in force.
    fn verify<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>>;

    /// What undoes it. Idempotent, and harmless when it was never done.
    fn inverse(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError>;

    /// What fails unless it is undone.
    fn proof(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError>;

    /// What undoes every injection of this kind on every node, and fails where it cannot. Idempotent.
    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError>;

    /// Commands it needs on the nodes: of each group one, the first preferably.
    fn requirements(&self) -> &'static [&'static [&'static str]];

    /// Undoes it.
    fn heal<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move { errand::run(&cluster.nodes, &self.inverse(cluster, id, deed)?).await.map(drop) })
    }

    /// Fails unless it is undone.
    fn verify_healed<'a>(&'a self, cluster: &'a Cluster, id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move { errand::run(&cluster.nodes, &self.proof(cluster, id, deed)?).await.map(drop) })
    }
}
