//! The stores and the workloads, as data: `elenchus simulate --list` and the docs come from here.

/// How a simulated store behaves. What each guarantees and breaks is in [`STORES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// Single objects: one copy.
    Linearizable,
    /// Single objects: one order, copies that lag, one's own updates seen.
    Sequential,
    /// Single objects: copies that exchange updates in causal order.
    Causal,
    /// Single objects: copies that exchange each origin's updates in order.
    Pram,
    /// Single objects: one order, copies that lag and never go back.
    NoReadYourWrites,
    /// Single objects: one order, each read from any copy.
    NoMonotonicReads,
    /// Single objects: every read is up to so many versions behind.
    Stale,
    /// Single objects: a read now and then is so many versions behind.
    StaleRead,
    /// Single objects: an acknowledged update is not done.
    LostUpdate,
    /// Single objects: an update that was refused is done.
    DirtyRead,
    /// Single objects: an update is done twice, an element comes out twice.
    Duplicated,
    /// Single objects: the wrong element comes out, or goes to the wrong place.
    Reordered,
    /// Single objects: a lock is granted while it is held.
    EarlyExpiry,
    /// Single objects: a read is told what nobody wrote.
    Invented,
    /// Transactions in one order true to real time.
    StrictSerializable,
    /// Transactions in one order true to each process.
    StrongSessionSerializable,
    /// Transactions in one order.
    Serializable,
    /// Updates in one order, of which each reader sees a consistent part.
    UpdateSerializable,
    /// The newest snapshot, first committer wins.
    StrongSnapshotIsolation,
    /// A snapshot that is not older than the process knows, first committer wins.
    StrongSessionSnapshotIsolation,
    /// Any past snapshot, first committer wins.
    SnapshotIsolation,
    /// Snapshots of one's own site, first committer wins everywhere.
    ParallelSnapshotIsolation,
    /// A past snapshot, every committer wins.
    Prefix,
    /// Snapshots of one's own site, every committer wins.
    TransactionalCausal,
    /// Transactions are seen whole or not at all.
    ReadAtomic,
    /// Once a transaction is seen, it is seen whole.
    MonotonicAtomicView,
    /// Every read sees some committed state.
    ReadCommitted,
    /// Every read sees what is there; writes lock.
    ReadUncommitted,
    /// Reads and writes go straight to what is there.
    NoIsolation,
}

/// What clients ask of a store. The vocabulary of each is in [`WORKLOADS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table says what they are")]
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

/// A store, in words.
#[derive(Debug, PartialEq)]
pub struct StoreEntry {
    /// Which.
    pub store: Store,
    /// Its name.
    pub name: &'static str,
    /// How it works, in one sentence.
    pub about: &'static str,
    /// The strongest that its histories always satisfy.
    pub guarantees: &'static str,
    /// The next stronger things that its histories of moderate size usually violate.
    pub breaks: &'static str,
    /// What can be asked of it.
    pub workloads: &'static [Workload],
}

/// A workload, in words.
#[derive(Debug, PartialEq)]
pub struct WorkloadEntry {
    /// Which.
    pub workload: Workload,
    /// Its name; of single objects, that of the model they are judged by.
    pub name: &'static str,
    /// Its operations.
    pub about: &'static str,
    /// What [`Recipe::new`](super::Recipe::new) fills in.
    pub(super) defaults: Defaults,
}

/// What suits a workload.
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
/// What is read whole would make a history quadratic in size: keys are retired.
const GROWING: Defaults = Defaults { values: None, updates_per_key: Some(32), ..SMALL };
const TXN: Defaults = Defaults { keys: 8, updates_per_key: Some(32), values: None, reads: 0.5, fail: 0.02 };

use Workload::*;

/// Objects whose updates need no answer, so that copies may take them in any order.
const BLIND: &[Workload] = &[Register, Kv, Set, Counter, Log];
/// Objects that are read.
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

/// Every store.
pub const STORES: &[StoreEntry] = &[
    store(
        Store::Linearizable,
        "linearizable",
        "one copy; every operation takes effect at one moment while its process waits",
        "linearizability",
        "nothing",
        SINGLE,
    ),
    store(
        Store::Sequential,
        "sequential",
        "updates in one order; each process reads from one of five copies that lag, but not behind what the process did or saw",
        "sequential consistency, each key by itself",
        "linearizability: stale reads",
        READ,
    ),
    store(
        Store::Causal,
        "causal",
        "each process speaks to one of five copies, which tell each other of updates late, causes before effects",
        "causal consistency (causal memory; copies need not converge), each key by itself",
        "sequential consistency: copies disagree on the order of concurrent updates",
        BLIND,
    ),
    store(
        Store::Pram,
        "pram",
        "each process speaks to one of five copies, which tell each other of their own updates late, in order",
        "PRAM (FIFO) consistency, each key by itself",
        "causal consistency: effects are seen before their causes",
        BLIND,
    ),
    store(
        Store::NoReadYourWrites,
        "no-read-your-writes",
        "updates in one order; each process reads from one of five copies that lag, even behind its own updates",
        "monotonic reads of a prefix of one order",
        "read your writes, and with it sequential, causal and PRAM consistency",
        READ,
    ),
    store(
        Store::NoMonotonicReads,
        "no-monotonic-reads",
        "updates in one order; each read is answered by any of five copies that lag",
        "reads of a prefix of one order",
        "monotonic reads and read your writes",
        READ,
    ),
    store(
        Store::Stale,
        "stale",
        "updates in one order; every read sees the object as it was up to k updates ago (k: the recipe's staleness)",
        "k+1-atomicity: bounded staleness",
        "linearizability, monotonic reads, k-atomicity",
        READ,
    ),
    store(
        Store::StaleRead,
        "stale-read",
        "linearizable, but now and then a read sees the object as it was k updates ago (k: the recipe's staleness)",
        "k+1-atomicity: bounded staleness",
        "linearizability",
        READ,
    ),
    store(
        Store::LostUpdate,
        "lost-update",
        "linearizable, but now and then an update is acknowledged and not done",
        "nothing",
        "linearizability: lost writes, elements, increments",
        UPDATED,
    ),
    store(
        Store::DirtyRead,
        "dirty-read",
        "linearizable, but now and then an update is refused and done all the same",
        "nothing",
        "linearizability: values of failed updates are read",
        UPDATED,
    ),
    store(
        Store::Duplicated,
        "duplicated",
        "linearizable, but now and then an update is done twice, or an element comes out and stays in",
        "nothing",
        "linearizability: duplicates",
        DUPLICABLE,
    ),
    store(
        Store::Reordered,
        "reordered",
        "linearizable, but now and then the next but one comes out, or what is appended goes before the last or first",
        "nothing",
        "linearizability: wrong order",
        ORDERED,
    ),
    store(
        Store::EarlyExpiry,
        "early-expiry",
        "linearizable, but now and then a lock is granted while another holds it, as if his lease were over",
        "nothing",
        "mutual exclusion: two holders",
        LOCKS,
    ),
    store(
        Store::Invented,
        "invented",
        "linearizable, but now and then a read is told a value that nobody wrote",
        "nothing",
        "every model: values out of thin air",
        INVENTIBLE,
    ),
    store(
        Store::StrictSerializable,
        "strict-serializable",
        "multi-version, optimistic: the newest snapshot, and no commit if anything read has changed since",
        "strict serializability",
        "nothing",
        TRANSACTIONAL,
    ),
    store(
        Store::StrongSessionSerializable,
        "strong-session-serializable",
        "as strict-serializable, but read-only transactions see a snapshot that is only as new as their process knows",
        "strong session serializability",
        "strict serializability: stale reads",
        TRANSACTIONAL,
    ),
    store(
        Store::Serializable,
        "serializable",
        "as strict-serializable, but read-only transactions see any snapshot of the last 16 commits",
        "serializability",
        "strong session serializability: a process does not see what it did",
        TRANSACTIONAL,
    ),
    store(
        Store::UpdateSerializable,
        "update-serializable",
        "updates as in strict-serializable; read-only transactions read from one of four sites, which hear of updates late, with all that those depend on",
        "update serializability (PL-3U)",
        "serializability and snapshot isolation: readers disagree on the order of updates (long fork), if most updates touch one key",
        TRANSACTIONAL,
    ),
    store(
        Store::StrongSnapshotIsolation,
        "strong-snapshot-isolation",
        "multi-version: the newest snapshot, and no commit if anything written has changed since",
        "strong snapshot isolation",
        "serializability: write skew",
        TRANSACTIONAL,
    ),
    store(
        Store::StrongSessionSnapshotIsolation,
        "strong-session-snapshot-isolation",
        "as strong-snapshot-isolation, but the snapshot is only as new as the process knows",
        "strong session snapshot isolation (snapshot isolation as Cerone et al. define it)",
        "strong snapshot isolation: stale snapshots; serializability: write skew",
        TRANSACTIONAL,
    ),
    store(
        Store::SnapshotIsolation,
        "snapshot-isolation",
        "as strong-snapshot-isolation, but any snapshot of the last 16 commits",
        "snapshot isolation as Adya defines it (generalized)",
        "strong session snapshot isolation: a process does not see what it did; serializability: write skew",
        TRANSACTIONAL,
    ),
    store(
        Store::ParallelSnapshotIsolation,
        "parallel-snapshot-isolation",
        "the snapshot of one's own of four sites, which hear of commits late, causes before effects; no commit if anything written has a version unseen",
        "parallel snapshot isolation",
        "snapshot isolation and prefix consistency: long fork",
        TRANSACTIONAL,
    ),
    store(
        Store::Prefix,
        "prefix",
        "a snapshot of the last 16 commits that is as new as the process knows; everything commits",
        "prefix consistency",
        "snapshot isolation: lost updates",
        TRANSACTIONAL,
    ),
    store(
        Store::TransactionalCausal,
        "transactional-causal",
        "the snapshot of one's own of four sites, which hear of commits late, causes before effects; everything commits, the last writer wins",
        "transactional causal consistency (convergent)",
        "prefix consistency: long fork; parallel snapshot isolation: lost updates",
        TRANSACTIONAL,
    ),
    store(
        Store::ReadAtomic,
        "read-atomic",
        "each transaction sees some of the last commits of each of four sites, whole, all of its own site; everything commits, the last writer wins",
        "read atomicity",
        "causal consistency: effects are seen without their causes",
        TRANSACTIONAL,
    ),
    store(
        Store::MonotonicAtomicView,
        "monotonic-atomic-view",
        "each read sees what was committed last at that moment; writes are kept back until the commit",
        "monotonic atomic view, monotonic view",
        "read atomicity: fractured and unrepeatable reads",
        TRANSACTIONAL,
    ),
    store(
        Store::ReadCommitted,
        "read-committed",
        "each read sees any state of the last 16 commits; writes are kept back until the commit",
        "read committed as Adya defines it (PL-2); not that of Biswas & Enea, in which a transaction's reads never go back",
        "monotonic atomic view: reads go back",
        TRANSACTIONAL,
    ),
    store(
        Store::ReadUncommitted,
        "read-uncommitted",
        "writes are in place at once, under locks held until the end, and are undone by an abort; reads heed no lock",
        "read uncommitted (PL-1)",
        "read committed: aborted, intermediate and circular reads (G1a, G1b, G1c)",
        TRANSACTIONAL,
    ),
    store(
        Store::NoIsolation,
        "no-isolation",
        "reads and writes go to what is there, each when it comes; nothing locks, and nothing is undone",
        "nothing",
        "read uncommitted: dirty writes (G0)",
        TRANSACTIONAL,
    ),
];

const fn workload(workload: Workload, name: &'static str, about: &'static str, defaults: Defaults) -> WorkloadEntry {
    WorkloadEntry { workload, name, about, defaults }
}

/// Every workload.
pub const WORKLOADS: &[WorkloadEntry] = &[
    workload(Register, "register", "read → v, write v", SMALL),
    workload(CasRegister, "cas-register", "read → v, write v, cas [old new] (fail: it held another value)", SMALL),
    workload(Kv, "kv", "get → text, put text, append text", GROWING),
    workload(Set, "set", "add v, remove v, contains v → whether it is in, read → all", Defaults { values: Some(12), ..SMALL }),
    workload(FifoQueue, "fifo-queue", "enqueue v, dequeue → v (nil: it was empty)", ONCE),
    workload(UnorderedQueue, "unordered-queue", "enqueue v, dequeue → any v in it (nil: it was empty)", ONCE),
    workload(Stack, "stack", "push v, pop → v (nil: it was empty)", ONCE),
    workload(PriorityQueue, "priority-queue", "insert v, delete-min → the least v (nil: it was empty)", ONCE),
    workload(Mutex, "mutex", "acquire, release; fail: it was held too long, or free", SMALL),
    workload(OwnedMutex, "owned-mutex", "acquire, release by the holder", SMALL),
    workload(ReentrantMutex, "reentrant-mutex", "acquire, again by the holder, release as often", SMALL),
    workload(FencedMutex, "fenced-mutex", "acquire → token, release by the holder", SMALL),
    workload(Semaphore, "semaphore", "acquire n, release n", SMALL),
    workload(Counter, "counter", "add n, increment, decrement, read → n", SMALL),
    workload(Log, "log", "append v, read → all in order", GROWING),
    workload(ListAppend, "list-append", "txn [[append k v] [r k [v …]] …]", TXN),
    workload(RwRegister, "rw-register", "txn [[w k v] [r k v] …], every v new", TXN),
    workload(SetAdd, "set-add", "txn [[add k v] [r k [v …]] …], every v new", TXN),
    workload(CounterInc, "counter-inc", "txn [[inc k n] [r k n] …]", TXN),
    workload(Bank, "bank", "transfer {from a, to b, amount n}, read → {a balance …}; every account begins with 10", BANK),
];

const BANK: Defaults = Defaults { updates_per_key: None, reads: 1.0 / 3.0, ..TXN };

impl Store {
    /// The store of this name.
    pub fn named(name: &str) -> Option<Store> {
        STORES.iter().find(|entry| entry.name == name).map(|entry| entry.store)
    }

    /// What is known of it.
    pub fn entry(self) -> &'static StoreEntry {
        &STORES[self as usize]
    }
}

impl Workload {
    /// The workload of this name.
    pub fn named(name: &str) -> Option<Workload> {
        WORKLOADS.iter().find(|entry| entry.name == name).map(|entry| entry.workload)
    }

    /// What is known of it.
    pub fn entry(self) -> &'static WorkloadEntry {
        &WORKLOADS[self as usize]
    }

    /// Whether its operations are transactions.
    pub fn is_transactional(self) -> bool {
        TRANSACTIONAL.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::MODELS;

    #[test]
    fn entries_stand_in_the_order_of_their_names() {
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
