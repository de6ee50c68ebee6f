//! The tables of stores and workloads, from which `elenchus simulate --list` is generated.

/// The behaviour of a simulated store; [`STORES`] lists what each guarantees and violates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// Single objects: one copy.
    Linearizable,
    /// Single objects: one update order, lagging replicas that include the process's own updates.
    Sequential,
    /// Single objects: replicas that exchange updates in causal order.
    Causal,
    /// Single objects: replicas that exchange the updates of each origin in order.
    Pram,
    /// Single objects: one update order, lagging replicas with monotonic reads.
    NoReadYourWrites,
    /// Single objects: one update order, each read from any replica.
    NoMonotonicReads,
    /// Single objects: every read is up to k versions behind.
    Stale,
    /// Single objects: some reads are k versions behind.
    StaleRead,
    /// Single objects: some acknowledged updates are lost.
    LostUpdate,
    /// Single objects: some rejected updates take effect.
    DirtyRead,
    /// Single objects: some updates are applied twice, or an element is removed twice.
    Duplicated,
    /// Single objects: sometimes the wrong element is removed, or one is inserted at the wrong position.
    Reordered,
    /// Single objects: sometimes a lock is granted while it is held.
    EarlyExpiry,
    /// Single objects: some reads return a value that was never written.
    Invented,
    /// Transactions in one order that respects real time.
    StrictSerializable,
    /// Transactions in one order that respects session order.
    StrongSessionSerializable,
    /// Transactions in one order.
    Serializable,
    /// Updates in one order, of which each read-only transaction sees a consistent part.
    UpdateSerializable,
    /// The newest snapshot, first committer wins.
    StrongSnapshotIsolation,
    /// A snapshot that includes what the process has seen, first committer wins.
    StrongSessionSnapshotIsolation,
    /// Any past snapshot, first committer wins.
    SnapshotIsolation,
    /// Snapshots of the process's own site, first committer wins across all sites.
    ParallelSnapshotIsolation,
    /// A past snapshot without write conflicts.
    Prefix,
    /// Snapshots of the process's own site without write conflicts.
    TransactionalCausal,
    /// Transactions are visible entirely or not at all.
    ReadAtomic,
    /// Once a transaction is visible, all of it is.
    MonotonicAtomicView,
    /// Every read sees some committed state.
    ReadCommitted,
    /// Every read sees the current state; writes take locks.
    ReadUncommitted,
    /// Reads and writes access the current state directly.
    NoIsolation,
}

/// The operations that clients run. [`WORKLOADS`] lists the vocabulary of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "described in WORKLOADS")]
pub enum Workload {
    Register,
    CasRegister,
    Kv,
    Set,
    FifoQueue,
    UnorderedQueue,
    Stack,
    PriorityQueue,
    Mutex,
    OwnedMutex,
    ReentrantMutex,
    FencedMutex,
    Semaphore,
    Counter,
    Log,
    ListAppend,
    RwRegister,
    SetAdd,
    CounterInc,
    Bank,
}

/// The description of a store.
#[derive(Debug, PartialEq)]
pub struct StoreEntry {
    /// The store.
    pub store: Store,
    /// The name.
    pub name: &'static str,
    /// The mechanism, in one sentence.
    pub about: &'static str,
    /// The strongest guarantee that all its histories satisfy.
    pub guarantees: &'static str,
    /// The next stronger guarantees that its histories of moderate size usually violate.
    pub breaks: &'static str,
    /// The workloads that it supports.
    pub workloads: &'static [Workload],
}

/// The description of a workload.
#[derive(Debug, PartialEq)]
pub struct WorkloadEntry {
    /// The workload.
    pub workload: Workload,
    /// The name; for single objects also the name of the model that checks them.
    pub name: &'static str,
    /// The operations.
    pub about: &'static str,
    /// The defaults that [`Recipe::new`](super::Recipe::new) fills in.
    pub(super) defaults: Defaults,
}

/// The defaults of a workload.
#[derive(Debug, PartialEq)]
pub(super) struct Defaults {
    pub(super) keys: u32,
    pub(super) updates_per_key: Option<u32>,
    pub(super) values: Option<u32>,
    pub(super) reads: f64,
    pub(super) fail: f64,
}

const SMALL: Defaults = Defaults { keys: 1, updates_per_key: None, values: Some(5), reads: 1.0 / 3.0, fail: 0.0 };
const ONCE: Defaults = Defaults { values: None, ..SMALL };
/// Reads of the whole object would make histories quadratic in size, so keys are retired.
const GROWING: Defaults = Defaults { values: None, updates_per_key: Some(32), ..SMALL };
const TXN: Defaults = Defaults { keys: 8, updates_per_key: Some(32), values: None, reads: 0.5, fail: 0.02 };

use Workload::*;

/// Objects whose updates return nothing, so that replicas may apply them in any order.
const BLIND: &[Workload] = &[Register, Kv, Set, Counter, Log];
/// Objects with reads.
const READ: &[Workload] = &[Register, CasRegister, Kv, Set, Counter, Log];
const LOCKS: &[Workload] = &[Mutex, OwnedMutex, ReentrantMutex, FencedMutex, Semaphore];
const ORDERED: &[Workload] = &[Kv, FifoQueue, Stack, PriorityQueue, Log];
const UPDATED: &[Workload] = &[Register, CasRegister, Kv, Set, FifoQueue, UnorderedQueue, Stack, PriorityQueue, Counter, Log];
const INVENTIBLE: &[Workload] = &[Register, CasRegister, Kv, Set, FifoQueue, UnorderedQueue, Stack, PriorityQueue, Log];
const DUPLICABLE: &[Workload] = &[Kv, FifoQueue, UnorderedQueue, Stack, PriorityQueue, Counter, Log];
const SINGLE: &[Workload] = &[
    Register,
    CasRegister,
    Kv,
    Set,
    FifoQueue,
    UnorderedQueue,
    Stack,
    PriorityQueue,
    Mutex,
    OwnedMutex,
    ReentrantMutex,
    FencedMutex,
    Semaphore,
    Counter,
    Log,
];
const TRANSACTIONAL: &[Workload] = &[ListAppend, RwRegister, SetAdd, CounterInc, Bank];

const fn store(
    store: Store,
    name: &'static str,
    about: &'static str,
    guarantees: &'static str,
    breaks: &'static str,
    workloads: &'static [Workload],
) -> StoreEntry {
    StoreEntry { store, name, about, guarantees, breaks, workloads }
}

/// All stores.
pub const STORES: &[StoreEntry] = &[
    store(
        Store::Linearizable,
        "linearizable",
        "a single copy; every operation takes effect at one moment between its invocation and its completion",
        "linearizability",
        "nothing",
        SINGLE,
    ),
    store(
        Store::Sequential,
        "sequential",
        "updates in one order; each process reads from one of five lagging replicas, which includes what the process wrote or read before",
        "sequential consistency of each key",
        "linearizability: stale reads",
        READ,
    ),
    store(
        Store::Causal,
        "causal",
        "multi-leader: each process uses one of five replicas, which exchange updates late, in causal order",
        "causal consistency of each key (causal memory; replicas need not converge)",
        "sequential consistency: replicas disagree on the order of concurrent updates",
        BLIND,
    ),
    store(
        Store::Pram,
        "pram",
        "multi-leader: each process uses one of five replicas, which send each other their own updates late, in order",
        "PRAM (FIFO) consistency of each key",
        "causal consistency: effects are seen before their causes",
        BLIND,
    ),
    store(
        Store::NoReadYourWrites,
        "no-read-your-writes",
        "updates in one order; each process reads from one of five lagging replicas, which may miss its own updates",
        "monotonic reads of a prefix of one update order",
        "read your writes, and with it sequential, causal and PRAM consistency",
        READ,
    ),
    store(
        Store::NoMonotonicReads,
        "no-monotonic-reads",
        "updates in one order; each read is served by any of five lagging replicas",
        "reads of a prefix of one update order",
        "monotonic reads and read your writes",
        READ,
    ),
    store(
        Store::Stale,
        "stale",
        "updates in one order; every read sees the state of up to k updates ago (k: `--staleness`)",
        "k+1-atomicity: bounded staleness",
        "linearizability, monotonic reads, k-atomicity",
        READ,
    ),
    store(
        Store::StaleRead,
        "stale-read",
        "linearizable, but some reads see the state of k updates ago (k: `--staleness`)",
        "k+1-atomicity: bounded staleness",
        "linearizability",
        READ,
    ),
    store(
        Store::LostUpdate,
        "lost-update",
        "linearizable, but some updates are acknowledged and lost",
        "nothing",
        "linearizability: lost writes, elements, increments",
        UPDATED,
    ),
    store(
        Store::DirtyRead,
        "dirty-read",
        "linearizable, but some updates are rejected and take effect anyway",
        "nothing",
        "linearizability: values of failed updates are read",
        UPDATED,
    ),
    store(
        Store::Duplicated,
        "duplicated",
        "linearizable, but some updates are applied twice, or a removed element stays in",
        "nothing",
        "linearizability: duplicates",
        DUPLICABLE,
    ),
    store(
        Store::Reordered,
        "reordered",
        "linearizable, but sometimes the second element is removed instead of the first, or an append goes before the last or first element",
        "nothing",
        "linearizability: wrong order",
        ORDERED,
    ),
    store(
        Store::EarlyExpiry,
        "early-expiry",
        "linearizable, but sometimes a lock is granted while another process holds it, as if its lease had expired",
        "nothing",
        "mutual exclusion: two holders",
        LOCKS,
    ),
    store(
        Store::Invented,
        "invented",
        "linearizable, but some reads return a value that was never written",
        "nothing",
        "every model: values that were never written",
        INVENTIBLE,
    ),
    store(
        Store::StrictSerializable,
        "strict-serializable",
        "multi-version, optimistic: reads the newest snapshot; aborts if anything read has changed since",
        "strict serializability",
        "nothing",
        TRANSACTIONAL,
    ),
    store(
        Store::StrongSessionSerializable,
        "strong-session-serializable",
        "as strict-serializable, but read-only transactions read a snapshot that may be old but includes what their process has seen",
        "strong session serializability",
        "strict serializability: stale reads",
        TRANSACTIONAL,
    ),
    store(
        Store::Serializable,
        "serializable",
        "as strict-serializable, but read-only transactions read any snapshot of the last 16 commits",
        "serializability",
        "strong session serializability: a process may not see its own earlier commits",
        TRANSACTIONAL,
    ),
    store(
        Store::UpdateSerializable,
        "update-serializable",
        "updates as in strict-serializable; read-only transactions read from one of four sites, which apply updates late, with all their dependencies",
        "update serializability (PL-3U)",
        "serializability and snapshot isolation: readers disagree on the order of updates (long fork), if most updates touch one key",
        TRANSACTIONAL,
    ),
    store(
        Store::StrongSnapshotIsolation,
        "strong-snapshot-isolation",
        "multi-version: reads the newest snapshot; aborts if anything written has changed since",
        "strong snapshot isolation",
        "serializability: write skew",
        TRANSACTIONAL,
    ),
    store(
        Store::StrongSessionSnapshotIsolation,
        "strong-session-snapshot-isolation",
        "as strong-snapshot-isolation, with a snapshot that may be old but includes what the process has seen",
        "strong session snapshot isolation (snapshot isolation as Cerone et al. define it)",
        "strong snapshot isolation: stale snapshots; serializability: write skew",
        TRANSACTIONAL,
    ),
    store(
        Store::SnapshotIsolation,
        "snapshot-isolation",
        "as strong-snapshot-isolation, but with any snapshot of the last 16 commits",
        "snapshot isolation as Adya defines it (generalized)",
        "strong session snapshot isolation: a process may not see its own earlier commits; serializability: write skew",
        TRANSACTIONAL,
    ),
    store(
        Store::ParallelSnapshotIsolation,
        "parallel-snapshot-isolation",
        "reads the snapshot of one of four sites, which exchange commits late, in causal order; aborts if anything written has an unseen version",
        "parallel snapshot isolation",
        "snapshot isolation and prefix consistency: long fork",
        TRANSACTIONAL,
    ),
    store(
        Store::Prefix,
        "prefix",
        "reads a snapshot of the last 16 commits that includes what the process has seen; never aborts",
        "prefix consistency",
        "snapshot isolation: lost updates",
        TRANSACTIONAL,
    ),
    store(
        Store::TransactionalCausal,
        "transactional-causal",
        "reads the snapshot of one of four sites, which exchange commits late, in causal order; never aborts, last writer wins",
        "transactional causal consistency (convergent)",
        "prefix consistency: long fork; parallel snapshot isolation: lost updates",
        TRANSACTIONAL,
    ),
    store(
        Store::ReadAtomic,
        "read-atomic",
        "reads all commits of its own site and a recent prefix of those of three others, each transaction entirely; never aborts, last writer wins",
        "read atomicity",
        "causal consistency: effects are seen without their causes",
        TRANSACTIONAL,
    ),
    store(
        Store::MonotonicAtomicView,
        "monotonic-atomic-view",
        "each read sees the latest commits at that moment; writes are buffered until the commit",
        "monotonic atomic view, monotonic view",
        "read atomicity: fractured and nonrepeatable reads",
        TRANSACTIONAL,
    ),
    store(
        Store::ReadCommitted,
        "read-committed",
        "each read sees any state of the last 16 commits; writes are buffered until the commit",
        "read committed as Adya defines it (PL-2), but not as Biswas & Enea do, whose reads are monotonic within a transaction",
        "monotonic atomic view: reads that go back in time",
        TRANSACTIONAL,
    ),
    store(
        Store::ReadUncommitted,
        "read-uncommitted",
        "writes in place, under locks held until the end, undone on abort; reads ignore locks",
        "read uncommitted (PL-1)",
        "read committed: aborted and intermediate reads, circular information flow (G1a, G1b, G1c)",
        TRANSACTIONAL,
    ),
    store(
        Store::NoIsolation,
        "no-isolation",
        "reads and writes in place; no locks, no undo",
        "nothing",
        "read uncommitted: dirty writes (G0)",
        TRANSACTIONAL,
    ),
];

const fn workload(workload: Workload, name: &'static str, about: &'static str, defaults: Defaults) -> WorkloadEntry {
    WorkloadEntry { workload, name, about, defaults }
}

/// All workloads.
pub const WORKLOADS: &[WorkloadEntry] = &[
    workload(Register, "register", "read → v, write v", SMALL),
    workload(CasRegister, "cas-register", "read → v, write v, cas [old new] (fail if it holds another value)", SMALL),
    workload(Kv, "kv", "get → text, put text, append text", GROWING),
    workload(Set, "set", "add v, remove v, contains v → true or false, read → all", Defaults { values: Some(12), ..SMALL }),
    workload(FifoQueue, "fifo-queue", "enqueue v, dequeue → v (nil if empty)", ONCE),
    workload(UnorderedQueue, "unordered-queue", "enqueue v, dequeue → any v (nil if empty)", ONCE),
    workload(Stack, "stack", "push v, pop → v (nil if empty)", ONCE),
    workload(PriorityQueue, "priority-queue", "insert v, delete-min → the least v (nil if empty)", ONCE),
    workload(Mutex, "mutex", "acquire, release; fail: held for too long, or not held", SMALL),
    workload(OwnedMutex, "owned-mutex", "acquire, release by the holder", SMALL),
    workload(ReentrantMutex, "reentrant-mutex", "acquire, reacquire by the holder, release once per acquire", SMALL),
    workload(FencedMutex, "fenced-mutex", "acquire → token, release by the holder", SMALL),
    workload(Semaphore, "semaphore", "acquire n, release n", SMALL),
    workload(Counter, "counter", "add n, increment, decrement, read → n", SMALL),
    workload(Log, "log", "append v, read → all in order", GROWING),
    workload(ListAppend, "list-append", "txn [[append k v] [r k [v …]] …]", TXN),
    workload(RwRegister, "rw-register", "txn [[w k v] [r k v] …], every v unique", TXN),
    workload(SetAdd, "set-add", "txn [[add k v] [r k [v …]] …], every v unique", TXN),
    workload(CounterInc, "counter-inc", "txn [[inc k n] [r k n] …]", TXN),
    workload(Bank, "bank", "transfer {from a, to b, amount n}, read → {a balance …}; initial balance 10", BANK),
];

const BANK: Defaults = Defaults { updates_per_key: None, reads: 1.0 / 3.0, ..TXN };

impl Store {
    /// Looks up a store by name.
    pub fn named(name: &str) -> Option<Store> {
        STORES.iter().find(|entry| entry.name == name).map(|entry| entry.store)
    }

    /// The description of this store.
    pub fn entry(self) -> &'static StoreEntry {
        &STORES[self as usize]
    }
}

impl Workload {
    /// Looks up a workload by name.
    pub fn named(name: &str) -> Option<Workload> {
        WORKLOADS.iter().find(|entry| entry.name == name).map(|entry| entry.workload)
    }

    /// The description of this workload.
    pub fn entry(self) -> &'static WorkloadEntry {
        &WORKLOADS[self as usize]
    }

    /// Returns whether the operations are transactions.
    pub fn is_transactional(self) -> bool {
        TRANSACTIONAL.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::MODELS;

    #[test]
    fn the_tables_are_ordered() {
        assert!(STORES.iter().enumerate().all(|(at, entry)| entry.store as usize == at));
        assert!(WORKLOADS.iter().enumerate().all(|(at, entry)| entry.workload as usize == at));
        assert!(STORES.iter().all(|entry| Store::named(entry.name) == Some(entry.store)));
        assert!(WORKLOADS.iter().all(|entry| Workload::named(entry.name) == Some(entry.workload)));
    }

    #[test]
    fn single_objects_have_models() {
        for workload in SINGLE {
            assert!(MODELS.iter().any(|model| model.name == workload.entry().name), "{workload:?}");
        }
        assert_eq!(SINGLE.len() + TRANSACTIONAL.len(), WORKLOADS.len());
    }
}
