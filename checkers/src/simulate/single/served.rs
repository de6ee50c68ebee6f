//! An object as a store keeps it.

use elenchus_core::Rng;

use super::super::objects::{Object, Reply, Request};
use super::super::recipe::Recipe;
use super::super::table::Store;
use super::defective::Defective;
use super::followers::Followers;
use super::masters::Masters;

/// An object, kept as a store keeps it.
pub(super) enum Served<O> {
    /// One copy, with a defect or without.
    One(Defective<O>),
    /// One that decides, and copies that lag.
    Followed(Followers<O>),
    /// Many that decide.
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

    /// Carries a request out that a process in a seat made; its defect, if it has one, may strike where `strikes`. The answer, and whether
    /// it did strike.
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
