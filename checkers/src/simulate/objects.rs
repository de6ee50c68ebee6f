//! Single objects, accessed by one operation at a time.

mod container;
mod counter;
mod lock;
mod log;
mod register;
mod semaphore;
mod set;
mod text;

use elenchus_core::{Rng, Symbol, Value};

use super::recipe::Recipe;
use super::table::Store;

pub(super) use container::Container;
pub(super) use counter::Counter;
pub(super) use lock::Lock;
pub(super) use log::Log;
pub(super) use register::Register;
pub(super) use semaphore::Semaphore;
pub(super) use set::Set;
pub(super) use text::Text;

/// The function and argument of an operation.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) f: Symbol,
    pub(super) value: Value,
}

impl Request {
    pub(super) fn new(f: &'static str, value: impl Into<Value>) -> Request {
        Request { f: Symbol::of(f), value: value.into() }
    }

    /// Creates a request without an argument.
    pub(super) fn without_argument(f: &'static str) -> Request {
        Request { f: Symbol::of(f), value: Value::Nil }
    }

    /// Returns whether it is read-only.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self.f.as_str(), "read" | "get" | "contains")
    }
}

/// The reply of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// Success without a result.
    Done,
    /// Success with this result.
    Value(Value),
    /// Failure, without an effect.
    Failed,
    /// Failure for now, without an effect; the client retries.
    Busy,
}

/// A sequential object and the requests that clients make.
pub(super) trait Object: Clone + Send {
    /// Creates the object in its initial state.
    fn new(recipe: &Recipe) -> Self;

    /// Generates the next request of a client.
    fn next_request(context: &mut RequestContext<'_>) -> Request;

    /// Applies a request of a process.
    fn apply(&mut self, process: u32, request: &Request) -> Reply;

    /// Applies a request with the defect of this store. Returns `None` if the defect cannot occur for this request in this state.
    fn apply_defect(&mut self, _store: Store, _process: u32, _request: &Request) -> Option<Reply> {
        None
    }

    /// Returns whether applying a request twice differs from applying it once.
    fn is_not_idempotent(&self, _request: &Request) -> bool {
        false
    }

    /// The request that a process must later make to the same object after this one succeeded, such as a release after an acquire.
    fn follow_up(_granted: &Request) -> Option<Request> {
        None
    }

    /// Another request to the same object that a process with this many pending follow-ups may make first.
    fn request_before_follow_up(_context: &mut RequestContext<'_>, _follow_ups: usize) -> Option<Request> {
        None
    }

    /// Whether a crashed request certainly takes effect (true) or certainly does not (false); `None` if either may happen.
    fn crash_effect(&self, _request: &Request) -> Option<bool> {
        None
    }
}

/// The context in which a client generates a request.
pub(super) struct RequestContext<'s> {
    pub(super) recipe: &'s Recipe,
    pub(super) rng: &'s mut Rng,
    pub(super) hints: &'s mut KeyHints,
    pub(super) written: &'s mut i64,
}

/// The joint knowledge of all clients about a key, so that their requests are likely to succeed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyHints {
    /// Recently written values.
    recent: [i64; 4],
    /// The number of insertions minus the number of removals requested.
    size: i64,
}

impl RequestContext<'_> {
    /// Decides whether to read.
    pub(super) fn wants_read(&mut self) -> bool {
        self.rng.chance(self.recipe.reads)
    }

    /// Generates a value to write.
    pub(super) fn new_value(&mut self) -> i64 {
        let value = match self.recipe.values {
            Some(values) => self.rng.below(u64::from(values)) as i64,
            None => *self.written,
        };
        self.hints.recent[(*self.written & 3) as usize] = value;
        *self.written += 1;
        value
    }

    /// Returns a value that may have been written recently.
    pub(super) fn recent_value(&mut self) -> i64 {
        self.hints.recent[self.rng.below(4) as usize]
    }

    /// Decides whether to insert rather than remove, so that in the long run few items are inside.
    pub(super) fn wants_insert(&mut self) -> bool {
        let inserts = self.rng.below(20) as i64 >= self.hints.size;
        self.hints.size += if inserts { 1 } else { -1 };
        self.hints.size = self.hints.size.clamp(0, 19);
        inserts
    }
}

/// A value that is never written.
pub(super) const NEVER_WRITTEN: i64 = -1_000_000_007;
