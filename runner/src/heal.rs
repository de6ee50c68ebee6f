//! Putting nodes right that a run left broken: from its ledger, and by looking for every fault there is.

use std::fmt::Write as _;
use std::path::Path;

use elenchus_control::system::Node;
use elenchus_nemesis::{Ledger, heal_all, heal_outstanding};

use crate::plan::Plan;
use crate::run::{RunError, nodes};
use crate::store::RunDir;

/// What was done.
pub struct Healed {
    /// A line for each thing.
    pub text: String,
    /// Whether nothing is left of what was found.
    pub is_whole: bool,
}

/// Undoes what the ledgers of runs say may be in force on nodes that outlived them. Of a run's directory, its own; of a store, that of each run in it; of a plan, that of each
/// of its runs in its store, and then every fault there is, known or not, on all of its nodes.
///
/// # Errors
/// When it is none of these, or the plan makes no sense; and when one of the runs is under way, as nothing is to be undone beside it. What cannot be healed is no error: it
/// is told.
pub async fn heal(what: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Healed, RunError> {
    let plan = match what.is_file() {
        true => Some(Plan::load(what, &[])?.resolve(env)?),
        false => None,
    };
    let runs = plan.as_ref().map_or_else(|| RunDir::all_in(what), |plan| RunDir::all_of(&plan.store, &plan.name));
    if plan.is_none() && runs.is_empty() {
        let message = format!("{}: this is neither a plan, nor the directory of a run, nor a store with runs in it", what.display());
        return Err(RunError::Mismatch(message));
    }
    // All of them are held before anything is done.
    let mut outstanding = Vec::new();
    for run in runs.iter().filter(|run| run.ledger().is_file()) {
        let ledger = Ledger::open(run.path())?;
        if !ledger.outstanding().is_empty() {
            outstanding.push((run, ledger));
        }
    }
    let mut healed = Healed { text: String::new(), is_whole: true };
    let mut count = 0;
    for (run, ledger) in &outstanding {
        match Plan::load(&run.plan(), &[]).and_then(|plan| plan.outliving(env)) {
            // The nodes of a lab end with their run.
            Ok(nodes) if nodes.is_empty() => {}
            Ok(nodes) => count += healed.add(&nodes::there(&nodes), ledger).await,
            Err(error) => healed.say_not(&format!("{}: {}", run.path().display(), error.render(false).trim())),
        }
    }
    let left = if healed.is_whole {
        "none is left in the ledgers"
    } else {
        "the rest stays in the ledgers: heal again when what is said above is mended"
    };
    healed.say(&format!("{count} faults of {} runs healed; {left}", runs.len()));
    if let Some(plan) = plan.filter(|plan| plan.lab.is_none()) {
        match heal_all(&nodes::there(&plan.nodes), &plan.nemesis).await {
            Ok(()) => healed.say("every fault that can be told by itself was looked for on all nodes, and undone where it was"),
            Err(error) => healed.say_not(&format!("what was looked for on all nodes: {error}")),
        }
    }
    Ok(healed)
}

impl Healed {
    /// Heals what a run left, and counts it.
    async fn add(&mut self, nodes: &[Node], ledger: &Ledger) -> usize {
        let healing = heal_outstanding(nodes, ledger).await;
        healing.healed.iter().for_each(|what| self.say(&format!("healed {what}")));
        healing.unhealed.iter().for_each(|what| self.say_not(what));
        healing.healed.len()
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn say_not(&mut self, line: &str) {
        self.say(&format!("NOT HEALED: {line}"));
        self.is_whole = false;
    }
}
