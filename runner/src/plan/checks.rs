//! The checks of a plan: those of its workload with the plan's options, and more.

use std::collections::BTreeMap;

use elenchus_core::{CheckSpec, Workload};
use serde_json::{Map, Value as Json};

use super::{PlanError, PlanSource};

/// Options of checkers, by the checker's name.
pub type CheckSettings = BTreeMap<String, Map<String, Json>>;

impl PlanSource {
    /// The checks that the history must pass. A check of the plan whose checker the workload uses too sets options of the workload's check; any other
    /// is added.
    pub(super) fn checks(&self, workload: &dyn Workload) -> Result<Vec<CheckSpec>, PlanError> {
        let mut checks = workload.checks();
        for (checker, options) in &self.plan.checks {
            // Plans spell their words in snake_case; the checkers' options are in kebab-case, as on the command line.
            let options: Map<String, Json> = options.iter().map(|(name, value)| (name.replace('_', "-"), value.clone())).collect();
            if !checks.iter().any(|check| check.checker == *checker) {
                checks.push(CheckSpec::new(checker));
            }
            for check in checks.iter_mut().filter(|check| check.checker == *checker) {
                check.options.extend(options.clone());
            }
        }
        for check in &checks {
            elenchus_checkers::build(check).map_err(|error| {
                let is_of_plan = self.plan.checks.contains_key(&check.checker);
                let path = if is_of_plan { format!("checks.{}", check.checker) } else { format!("workload.{}", self.plan.workload.name()) };
                self.origin.error_at_key(&path, error.to_string()).help("`elenchus checkers` lists the checkers and their options")
            })?;
        }
        Ok(checks)
    }
}
