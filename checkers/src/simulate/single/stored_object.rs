//! The ways in which stores keep a single object.

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;
use super::defective::Defective;
use super::multi_leader::MultiLeader;
use super::single_leader::SingleLeader;

/// An object, kept as its store does.
pub(super) enum StoredObject<O> {
    /// A single copy, possibly with a defect.
    SingleCopy(Defective<O>),
    /// Single-leader replication.
    SingleLeader(SingleLeader<O>),
    /// Multi-leader replication.
    MultiLeader(MultiLeader<O>),
}

impl<O: Object> StoredObject<O> {
    pub(super) fn new(recipe: &Recipe) -> StoredObject<O> {
        match recipe.store {
            Store::Sequential | Store::NoReadYourWrites | Store::NoMonotonicReads => StoredObject::SingleLeader(SingleLeader::new(recipe)),
            Store::Causal | Store::Pram => StoredObject::MultiLeader(MultiLeader::new(recipe)),
            _ => StoredObject::SingleCopy(Defective::new(recipe)),
        }
    }

    /// Executes a request of a process in a worker slot; the defect of the store may occur if `defect_due`. Returns the reply and whether
    /// the defect occurred.
    pub(super) fn serve(&mut self, worker: usize, process: u32, request: &Request, defect_due: bool, rng: &mut Rng) -> (Reply, bool) {
        match self {
            StoredObject::SingleCopy(object) => object.serve(process, request, defect_due, rng),
            StoredObject::SingleLeader(object) => (object.serve(worker, process, request, rng), false),
            StoredObject::MultiLeader(object) => (object.serve(worker, process, request, rng), false),
        }
    }

    /// See [`Object::crash_effect`].
    pub(super) fn crash_effect(&self, request: &Request) -> Option<bool> {
        match self {
            StoredObject::SingleCopy(object) => object.crash_effect(request),
            _ => None,
        }
    }
}
