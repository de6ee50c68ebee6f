//! Stopping the system's processes with SIGSTOP, and letting them go on.

use elenchus_core::{BoxFuture, Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::listed;
use crate::errand::{self, Errand};
use crate::target::Targets;
use crate::{Aim, Cluster, Deed, Fault, NemesisError};

/// Pauses the system's processes, and lets them go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// On which nodes.
    #[serde(default)]
    pub targets: Targets,
}

impl Pause {
    fn deed(&self, names: &[String], nodes: Vec<usize>) -> Deed {
        Deed { what: format!("{} paused", listed(names, &nodes)), nodes, ..Deed::default() }
    }
}

impl Fault for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn check(&self, nodes: &[String]) -> Result<(), String> {
        self.targets.check(nodes)
    }

    fn needs_primary(&self) -> bool {
        self.targets == Targets::Primary
    }

    fn needs_system(&self) -> bool {
        true
    }

    fn aim(&self, nodes: &[String], rng: &mut Rng) -> Aim {
        self.targets.choose(nodes, rng).map_or(Aim::Primaries, |chosen| Aim::Deed(self.deed(nodes, chosen)))
    }

    fn at_primaries(&self, nodes: &[String], primaries: &[usize]) -> Deed {
        self.deed(nodes, primaries.to_vec())
    }

    fn inject<'a>(&'a self, cluster: &'a Cluster, _id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move {
            let errands = errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.pause())?;
            errand::needs_somebody(&errands, errand::run(&cluster.nodes, &errands).await?)
        })
    }

    fn verify<'a>(&'a self, cluster: &'a Cluster, _id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move {
            let errands = errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.assert_paused())?;
            errand::run(&cluster.nodes, &errands).await.map(drop)
        })
    }

    fn inverse(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.resume())
    }

    fn proof(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.assert_not_paused())
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &cluster.all(), |daemon| daemon.resume())
    }

    fn requirements(&self) -> &'static [&'static [&'static str]] {
        &[]
    }
}
