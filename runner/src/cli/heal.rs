//! `elenchus heal`: undoes the faults that killed runs left, by their ledgers and by looking for every known fault.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use elenchus_control::system::Node;
use elenchus_nemesis::{Ledger, heal_all, heal_outstanding};

use super::{Failure, exit};
use crate::plan::Plan;
use crate::run::{RunError, nodes};
use crate::store::RunDir;

/// Arguments of `heal`.
#[derive(Debug, Args)]
pub struct HealArgs {
    /// A run's directory, a store of runs, or a plan. For runs, the faults that their ledgers list as outstanding are undone. For a plan, those of all its
    /// runs in its store, and then every known fault on all its nodes.
    pub target: PathBuf,
}

pub(super) fn execute(args: &HealArgs) -> Result<ExitCode, Failure> {
    let healed = super::runtime()?.block_on(heal(&args.target, &super::env))?;
    super::say(&healed.text)?;
    Ok(if healed.is_complete { ExitCode::SUCCESS } else { ExitCode::from(exit::COULD_NOT_RUN) })
}

struct Healed {
    /// A line for each step.
    text: String,
    /// Whether everything that was found is undone.
    is_complete: bool,
}

/// Undoes what the ledgers of runs list as outstanding, on nodes that still exist: of one run, of all runs in a store, or of all runs of a plan. For a plan,
/// then undoes every known fault on all its nodes.
///
/// # Errors
/// When the path is none of these, the plan is invalid, or one of the runs is still in progress. What cannot be healed is not an error but in the text.
async fn heal(target: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Healed, RunError> {
    let plan = match target.is_file() {
        true => Some(Plan::load(target, &[])?.resolve(env)?),
        false => None,
    };
    let runs = plan.as_ref().map_or_else(|| RunDir::all_in(target), |plan| RunDir::all_of(&plan.store, &plan.name));
    if plan.is_none() && runs.is_empty() {
        let message = format!("{}: not a plan, a run's directory, or a store with runs; give the path of one of them", target.display());
        return Err(RunError::Usage(message));
    }
    // All ledgers are locked before anything is undone.
    let mut outstanding = Vec::new();
    for run in runs.iter().filter(|run| run.ledger().is_file()) {
        let ledger = Ledger::open(run.path())?;
        if !ledger.outstanding().is_empty() {
            outstanding.push((run, ledger));
        }
    }
    let mut healed = Healed { text: String::new(), is_complete: true };
    let mut count = 0;
    for (run, ledger) in &outstanding {
        match Plan::load(&run.plan(), &[]).and_then(|plan| plan.remaining_nodes(env)) {
            // A lab's nodes end with their run.
            Ok(nodes) if nodes.is_empty() => {}
            Ok(nodes) => count += healed.add(&nodes::existing(&nodes), ledger).await,
            Err(error) => healed.fail(&format!("{}: {}", run.path().display(), error.render(false).trim())),
        }
    }
    let left = if healed.is_complete {
        "none is left in the ledgers"
    } else {
        "the rest stays in the ledgers; fix the problems above and heal again"
    };
    healed.say(&format!("{count} faults of {} runs healed; {left}", runs.len()));
    if let Some(plan) = plan.filter(|plan| plan.lab.is_none()) {
        match heal_all(&nodes::existing(&plan.nodes), &plan.nemesis).await {
            Ok(()) => healed.say("every fault that can be recognized on a node was looked for on all nodes, and undone where found"),
            Err(error) => healed.fail(&format!("looking for faults on all nodes: {error}")),
        }
    }
    Ok(healed)
}

impl Healed {
    /// Heals what one ledger lists, and returns the number of faults healed.
    async fn add(&mut self, nodes: &[Node], ledger: &Ledger) -> usize {
        let healing = heal_outstanding(nodes, ledger).await;
        healing.healed.iter().for_each(|what| self.say(&format!("healed {what}")));
        healing.unhealed.iter().for_each(|what| self.fail(what));
        healing.healed.len()
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn fail(&mut self, line: &str) {
        self.say(&format!("NOT HEALED: {line}"));
        self.is_complete = false;
    }
}
