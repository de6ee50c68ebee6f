//! Sequential specifications, one per file, and the table of them.

mod counter;
mod fifo_queue;
mod kv;
mod log;
mod multi_register;
mod mutex;
mod owned_mutex;
mod priority_queue;
mod register;
mod semaphore;
mod set;
mod stack;
mod unordered_queue;

use elenchus_core::Value;

use crate::linearizable::{Linearizable, LinearizableOptions};

pub use counter::Counter;
pub use fifo_queue::FifoQueue;
pub use kv::AppendStore;
pub use log::Log;
pub use multi_register::MultiRegister;
pub use mutex::Mutex;
pub use owned_mutex::{FencedMutex, OwnedMutex};
pub use priority_queue::PriorityQueue;
pub use register::{CasRegister, Register};
pub use semaphore::Semaphore;
pub use set::Set;
pub use stack::Stack;
pub use unordered_queue::UnorderedQueue;

/// A model that plans and the command line can select by name.
pub struct ModelEntry {
    /// The model's name.
    pub name: &'static str,
    /// The model's operations, in one sentence.
    pub about: &'static str,
    /// The meaning of the option `initial` for the model, with its default; none if the model always starts the same.
    pub initial: Option<&'static str>,
    /// Creates a linearizability checker for the model, with the value of the option `initial`.
    pub linearizable: fn(Option<Value>, LinearizableOptions) -> Linearizable,
}

/// Makes [`MODELS`]: per model its name, its operations, what it takes as `initial`, and how it is made of that.
macro_rules! models {
    ($($name:literal $about:literal $initial:expr, $value:pat => $make:expr;)*) => {
        /// Every model by name.
        pub const MODELS: &[ModelEntry] = &[$(ModelEntry {
            name: $name,
            about: $about,
            initial: $initial,
            linearizable: |$value, options| Linearizable::new($name, $make, options),
        }),*];
    };
}

const VALUE: Option<&str> = Some("the value at first; nil");

models! {
    "register" "read → v, write v" VALUE, value => Register::new(value.unwrap_or_default());
    "cas-register" "read → v, write v, cas [old new] (ok: it was set; ok false: it held another value)" VALUE,
        value => CasRegister::new(value.unwrap_or_default());
    "multi-register" "txn [[read k v] [write k v] …] over several registers at once; read and write of a map {k v}" VALUE,
        value => MultiRegister::new(value.unwrap_or_default());
    "kv" "get → text, put text, append text; a key never written holds the empty text" None, _ => AppendStore;
    "mutex" "acquire, release; any process may release" None, _ => Mutex;
    "owned-mutex" "acquire, release; only the holder may release" None, _ => OwnedMutex::exclusive();
    "reentrant-mutex" "acquire, release; the holder may acquire again, and must release as often" None, _ => OwnedMutex::reentrant();
    "fenced-mutex" "acquire → token, release; only the holder may release, and tokens increase" None, _ => FencedMutex;
    "semaphore" "acquire n, release n (nil is 1); the initial value is the number of permits (default 1)"
        Some("the number of permits; 1"), permits => Semaphore::new(permits.and_then(|permits| permits.as_int()).unwrap_or(1));
    "counter" "add n, increment, decrement, read → n" Some("the number at first; 0"),
        number => Counter::new(number.and_then(|number| number.as_int()).unwrap_or(0));
    "fifo-queue" "enqueue v, dequeue → v (nil: it was empty)" None, _ => FifoQueue;
    "unordered-queue" "enqueue v, dequeue → any v in it (nil: it was empty)" None, _ => UnorderedQueue;
    "stack" "push v, pop → v (nil: it was empty)" None, _ => Stack;
    "priority-queue" "insert v, delete-min → the least v (nil: it was empty)" None, _ => PriorityQueue;
    "set" "add v, remove v, contains v → whether it is in, read → all" None, _ => Set;
    "log" "append v, read → all in order" None, _ => Log;
}
