//! Locks that record their holder.

use elenchus_core::{Model, Operation, Process, Step};

/// A lock that only its holder may release: `acquire`, `release`.
#[derive(Clone, Copy, Debug)]
pub struct OwnedMutex {
    deepest: u32,
}

impl OwnedMutex {
    /// Creates a lock that cannot be acquired while it is held.
    pub fn exclusive() -> OwnedMutex {
        OwnedMutex { deepest: 1 }
    }

    /// Creates a lock that its holder may acquire again; it is free after as many releases.
    pub fn reentrant() -> OwnedMutex {
        OwnedMutex { deepest: u32::MAX }
    }
}

impl Model for OwnedMutex {
    /// The holder and the number of times it has acquired the lock.
    type State = Option<(Process, u32)>;

    fn initial(&self) -> Self::State {
        None
    }

    fn step(&self, state: &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        match (operation.f.as_str(), *state) {
            ("acquire", None) => Step::To(Some((operation.process, 1))),
            ("acquire", Some((holder, depth))) if holder == operation.process && depth < self.deepest => {
                Step::To(Some((holder, depth + 1)))
            }
            ("release", Some((holder, 1))) if holder == operation.process => Step::To(None),
            ("release", Some((holder, depth))) if holder == operation.process => Step::To(Some((holder, depth - 1))),
            _ => Step::Impossible,
        }
    }

    fn describe(&self, state: &Self::State) -> String {
        match state {
            None => "free".to_owned(),
            Some((holder, 1)) => format!("held by process {holder}"),
            Some((holder, depth)) => format!("held by process {holder}, depth {depth}"),
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        matches!(operation.f.as_str(), "acquire" | "release")
    }

    fn depends_on_process(&self) -> bool {
        true
    }
}

/// A lock that only its holder may release and whose tokens increase: `acquire → token`, `release`.
#[derive(Clone, Copy, Debug, Default)]
pub struct FencedMutex;

impl Model for FencedMutex {
    /// The holder, and the highest token returned so far.
    type State = (Option<Process>, i64);

    fn initial(&self) -> Self::State {
        (None, i64::MIN)
    }

    fn step(&self, &(holder, highest): &Self::State, operation: &Operation<'_>) -> Step<Self::State> {
        match (operation.f.as_str(), holder, operation.output) {
            ("acquire", None, None) => Step::To((Some(operation.process), highest)),
            ("acquire", None, Some(token)) => match token.as_int() {
                Some(token) if token > highest => Step::To((Some(operation.process), token)),
                _ => Step::Impossible,
            },
            ("release", Some(holder), _) if holder == operation.process => Step::To((None, highest)),
            _ => Step::Impossible,
        }
    }

    fn describe(&self, &(holder, highest): &Self::State) -> String {
        let holder = holder.map_or("free".to_owned(), |holder| format!("held by process {holder}"));
        if highest == i64::MIN { holder } else { format!("{holder}, last token {highest}") }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        match operation.f.as_str() {
            "acquire" => operation.output.is_none_or(|token| token.as_int().is_some()),
            "release" => true,
            _ => false,
        }
    }

    fn depends_on_process(&self) -> bool {
        true
    }
}
