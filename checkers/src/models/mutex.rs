//! A lock that any process may release.

use elenchus_core::{Model, Operation, Step};

/// A lock: `acquire`, `release`, by any process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mutex;

impl Model for Mutex {
    type State = bool;

    fn initial(&self) -> bool {
        false
    }

    fn step(&self, held: &bool, operation: &Operation<'_>) -> Step<bool> {
        match (operation.f.as_str(), held) {
            ("acquire", false) => Step::To(true),
            ("release", true) => Step::To(false),
            _ => Step::Impossible,
        }
    }

    fn describe(&self, held: &bool) -> String {
        if *held { "held" } else { "free" }.to_owned()
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        matches!(operation.f.as_str(), "acquire" | "release")
    }
}
