//! Killing the system's processes with SIGKILL, and starting them again.

use elenchus_core::{BoxFuture, Rng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::listed;
use crate::errand::{self, Errand};
use crate::target::Targets;
use crate::{Aim, Cluster, Deed, Fault, NemesisError};

/// Kills the system's processes, all at once, and starts the system again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// On which nodes.
    #[serde(default)]
    pub targets: Targets,
}

impl Kill {
    fn deed(&self, names: &[String], nodes: Vec<usize>) -> Deed {
        Deed { what: format!("{} killed", listed(names, &nodes)), nodes, ..Deed::default() }
    }
}

impl Fault for Kill {
    fn name(&self) -> &'static str {
        "kill"
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
            let errands = errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.kill())?;
            errand::needs_somebody(&errands, errand::run(&cluster.nodes, &errands).await?)
        })
    }

    fn verify<'a>(&'a self, cluster: &'a Cluster, _id: u32, deed: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async move {
            let errands = errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.assert_gone())?;
            errand::run(&cluster.nodes, &errands).await.map(drop)
        })
    }

    fn inverse(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.start())
    }

    fn proof(&self, cluster: &Cluster, _id: u32, deed: &Deed) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &deed.nodes, |daemon| daemon.assert_running())
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        errand::on_daemons(cluster, &cluster.all(), |daemon| daemon.start())
    }

    fn requirements(&self) -> &'static [&'static [&'static str]] {
        &[&["setsid"]]
    }
}
