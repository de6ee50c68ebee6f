//! Objects of which one operation asks one thing.

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

/// What one operation asks.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) f: Symbol,
    pub(super) value: Value,
}

impl Request {
    pub(super) fn new(f: &'static str, value: impl Into<Value>) -> Request {
        Request { f: Symbol::of(f), value: value.into() }
    }

    /// One without an argument.
    pub(super) fn bare(f: &'static str) -> Request {
        Request { f: Symbol::of(f), value: Value::Nil }
    }

    /// Whether it only looks.
    pub(super) fn observes(&self) -> bool {
        matches!(self.f.as_str(), "read" | "get" | "contains")
    }
}

/// What an object answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// It is done; there is nothing to tell but that.
    Done,
    /// It is done, with this result.
    Told(Value),
    /// It cannot be, and nothing has changed.
    Refused,
    /// It cannot be now, and nothing has changed.
    Busy,
}

/// A sequential object, and what clients ask of it.
pub(super) trait Object: Clone + Send {
    /// The object before anything happened.
    fn new(recipe: &Recipe) -> Self;

    /// What a client asks next.
    fn ask(asker: &mut Asker<'_>) -> Request;

    /// Carries a request of a process out.
    fn apply(&mut self, process: u32, request: &Request) -> Reply;

    /// Carries a request out as this defective store does. None where it has no wrong way for this request in this state.
    fn err(&mut self, _store: Store, _process: u32, _request: &Request) -> Option<Reply> {
        None
    }

    /// Whether doing this twice differs from doing it once.
    fn repeats(&self, _request: &Request) -> bool {
        false
    }

    /// What a process must ask the same object next, after it was granted this.
    fn owes(_granted: &Request) -> Option<Request> {
        None
    }

    /// What a process that owes so many requests may ask instead, the same object.
    fn digress(_asker: &mut Asker<'_>, _owes: usize) -> Option<Request> {
        None
    }

    /// Whether a request of which nobody is told takes effect for certain, or certainly not. None: it may or may not.
    fn settles(&self, _request: &Request) -> Option<bool> {
        None
    }
}

/// A client about to ask.
pub(super) struct Asker<'s> {
    pub(super) recipe: &'s Recipe,
    pub(super) rng: &'s mut Rng,
    pub(super) rumour: &'s mut Rumour,
    pub(super) written: &'s mut i64,
}

/// What clients know of a key between them, so that they ask what makes sense.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rumour {
    /// Values written lately.
    recent: [i64; 4],
    /// How many were asked to go in, less those asked to come out.
    inside: i64,
}

impl Asker<'_> {
    /// Whether it reads.
    pub(super) fn reads(&mut self) -> bool {
        self.rng.chance(self.recipe.reads)
    }

    /// A value to write.
    pub(super) fn value(&mut self) -> i64 {
        let value = match self.recipe.values {
            Some(values) => self.rng.below(u64::from(values)) as i64,
            None => *self.written,
        };
        self.rumour.recent[(*self.written & 3) as usize] = value;
        *self.written += 1;
        value
    }

    /// A value that may have been written lately.
    pub(super) fn known(&mut self) -> i64 {
        self.rumour.recent[self.rng.below(4) as usize]
    }

    /// Whether to put something in rather than take something out, so that in the long run little is inside.
    pub(super) fn puts(&mut self) -> bool {
        let puts = self.rng.below(20) as i64 >= self.rumour.inside;
        self.rumour.inside += if puts { 1 } else { -1 };
        self.rumour.inside = self.rumour.inside.clamp(0, 19);
        puts
    }
}

/// A value that nobody writes.
pub(super) const INVENTED: i64 = -1_000_000_007;
