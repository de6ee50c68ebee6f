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

use crate::linearizable::{Linearizable, Options};

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
    /// Creates a linearizability checker for the model. The value is the initial state, if the model has a choice; otherwise it is ignored.
    pub linearizable: fn(Option<Value>, Options) -> Linearizable,
}

/// Every model by name.
pub const MODELS: &[ModelEntry] = &[
    ModelEntry {
        name: "register",
        about: "read → v, write v",
        linearizable: |initial, options| Linearizable::new("register", Register::new(initial.unwrap_or_default()), options),
    },
    ModelEntry {
        name: "cas-register",
        about: "read → v, write v, cas [old new] (ok: it was set; ok false: it held another value)",
        linearizable: |initial, options| Linearizable::new("cas-register", CasRegister::new(initial.unwrap_or_default()), options),
    },
    ModelEntry {
        name: "multi-register",
        about: "txn [[read k v] [write k v] …] over several registers at once; read and write of a map {k v}",
        linearizable: |initial, options| Linearizable::new("multi-register", MultiRegister::new(initial.unwrap_or_default()), options),
    },
    ModelEntry {
        name: "kv",
        about: "get → text, put text, append text; a key never written holds the empty text",
        linearizable: |_, options| Linearizable::new("kv", AppendStore, options),
    },
    ModelEntry {
        name: "mutex",
        about: "acquire, release; any process may release",
        linearizable: |_, options| Linearizable::new("mutex", Mutex, options),
    },
    ModelEntry {
        name: "owned-mutex",
        about: "acquire, release; only the holder may release",
        linearizable: |_, options| Linearizable::new("owned-mutex", OwnedMutex::exclusive(), options),
    },
    ModelEntry {
        name: "reentrant-mutex",
        about: "acquire, release; the holder may acquire again, and must release as often",
        linearizable: |_, options| Linearizable::new("reentrant-mutex", OwnedMutex::reentrant(), options),
    },
    ModelEntry {
        name: "fenced-mutex",
        about: "acquire → token, release; only the holder may release, and tokens increase",
        linearizable: |_, options| Linearizable::new("fenced-mutex", FencedMutex, options),
    },
    ModelEntry {
        name: "semaphore",
        about: "acquire n, release n (nil is 1); the initial value is the number of permits (default 1)",
        linearizable: |initial, options| {
            Linearizable::new("semaphore", Semaphore::new(initial.and_then(|permits| permits.as_int()).unwrap_or(1)), options)
        },
    },
    ModelEntry {
        name: "counter",
        about: "add n, increment, decrement, read → n",
        linearizable: |initial, options| {
            Linearizable::new("counter", Counter::new(initial.and_then(|number| number.as_int()).unwrap_or(0)), options)
        },
    },
    ModelEntry {
        name: "fifo-queue",
        about: "enqueue v, dequeue → v (nil: it was empty)",
        linearizable: |_, options| Linearizable::new("fifo-queue", FifoQueue, options),
    },
    ModelEntry {
        name: "unordered-queue",
        about: "enqueue v, dequeue → any v in it (nil: it was empty)",
        linearizable: |_, options| Linearizable::new("unordered-queue", UnorderedQueue, options),
    },
    ModelEntry {
        name: "stack",
        about: "push v, pop → v (nil: it was empty)",
        linearizable: |_, options| Linearizable::new("stack", Stack, options),
    },
    ModelEntry {
        name: "priority-queue",
        about: "insert v, delete-min → the least v (nil: it was empty)",
        linearizable: |_, options| Linearizable::new("priority-queue", PriorityQueue, options),
    },
    ModelEntry {
        name: "set",
        about: "add v, remove v, contains v → whether it is in, read → all",
        linearizable: |_, options| Linearizable::new("set", Set, options),
    },
    ModelEntry { name: "log", about: "append v, read → all in order", linearizable: |_, options| Linearizable::new("log", Log, options) },
];
