//! A counting semaphore.

use elenchus_core::{Model, Operation, Step};

/// Permits that are acquired and released: `acquire n`, `release n`, where nil is 1.
#[derive(Clone, Copy, Debug)]
pub struct Semaphore {
    permits: i64,
}

impl Semaphore {
    /// Creates a semaphore with this number of permits, all free.
    pub fn new(permits: i64) -> Semaphore {
        Semaphore { permits }
    }
}

fn amount(operation: &Operation<'_>) -> Option<i64> {
    if operation.input.is_nil() { Some(1) } else { operation.input.as_int().filter(|&permits| permits >= 0) }
}

impl Model for Semaphore {
    /// The number of free permits.
    type State = i64;

    fn initial(&self) -> i64 {
        self.permits
    }

    fn step(&self, free: &i64, operation: &Operation<'_>) -> Step<i64> {
        let left = match (operation.f.as_str(), amount(operation)) {
            ("acquire", Some(wanted)) => free.checked_sub(wanted),
            ("release", Some(given)) => free.checked_add(given),
            _ => None,
        };
        left.filter(|left| (0..=self.permits).contains(left)).map_or(Step::Impossible, Step::To)
    }

    fn describe(&self, free: &i64) -> String {
        format!("{free} of {} permits free", self.permits)
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        matches!(operation.f.as_str(), "acquire" | "release") && amount(operation).is_some()
    }
}
