//! The data types of transactional workloads.

/// The data type that the transactions of a workload access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// Lists: `[:append k v]` appends, `[:r k [v …]]` reads the whole list.
    ListAppend,
    /// Registers: `[:w k v]` writes, `[:r k v]` reads.
    RwRegister,
    /// Grow-only sets: `[:add k v]` adds, `[:r k [v …]]` reads the whole set.
    SetAdd,
    /// Counters: `[:inc k n]` increments, `[:r k n]` reads.
    CounterInc,
}

impl Datatype {
    /// All data types, with the names of their workloads and checkers.
    pub const NAMES: [(Datatype, &'static str); 4] = [
        (Datatype::ListAppend, "list-append"),
        (Datatype::RwRegister, "rw-register"),
        (Datatype::SetAdd, "set-add"),
        (Datatype::CounterInc, "counter-inc"),
    ];

    /// Returns the data type of a workload.
    pub fn named(name: &str) -> Option<Datatype> {
        Datatype::NAMES.into_iter().find(|(_, other)| *other == name).map(|(datatype, _)| datatype)
    }
}
