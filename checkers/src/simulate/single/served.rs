//! The ways in which stores keep a single object.

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;
use super::defective::Defective;
use super::followers::Followers;
use super::masters::Masters;

/// An object, kept as its store does.
pub(super) enum Served<O> {
    /// A single copy, possibly with a defect.
    One(Defective<O>),
    /// Single-leader replication.
    Followed(Followers<O>),
    /// Multi-leader replication.
    Many(Masters<O>),
}

impl<O: Object> Served<O> {
    pub(super) fn new(recipe: &Recipe) -> Served<O> {
        match recipe.store {
            Store::Sequential | Store::NoReadYourWrites | Store::NoMonotonicReads => Served::Followed(Followers::new(recipe)),
            Store::Causal | Store::Pram => Served::Many(Masters::new(recipe)),
            _ => Served::One(Defective::new(recipe)),
        }
    }

    /// Executes a request of a process in a worker slot; the defect of the store may occur if `strikes`. Returns the reply and whether
    /// the defect occurred.
    pub(super) fn serve(&mut self, seat: usize, process: u32, request: &Request, strikes: bool, rng: &mut Rng) -> (Reply, bool) {
        match self {
            Served::One(one) => one.serve(process, request, strikes, rng),
            Served::Followed(followed) => (followed.serve(seat, process, request, rng), false),
            Served::Many(many) => (many.serve(seat, process, request, rng), false),
        }
    }

    /// See [`Object::settles`].
    pub(super) fn settles(&self, request: &Request) -> Option<bool> {
        match self {
            Served::One(one) => one.settles(request),
            _ => None,
        }
    }
}
