//! Runs a search with sets that are wide enough for the operations that are open at once.

use elenchus_core::{Model, RegisterModel};

use super::bits::{Bits, Wide, Widest};
use super::budget::{Budget, Exceeded, Spent};
use super::outcome::{Outcome, Searched};
use super::problem::Problem;
use super::register;
use super::search::search;

/// Decides a problem with the search for any model and without lookahead, so that its dead ends are full states at the failing operation.
pub(crate) fn decide_by_states<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>) -> Searched {
    search_at_width(model, problem, budget, false)
}

/// Decides a problem with a search; with the one for registers where that applies and `may_specialise`.
pub(crate) fn search_at_width<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget<'_>, may_specialise: bool) -> Searched {
    let open = problem.concurrency();
    if let Some(register) = model.as_register().filter(|_| may_specialise)
        && let Some(searched) = as_register(register, problem, open, budget)
    {
        return searched;
    }
    match open {
        _ if open <= u64::WIDTH => search::<M, u64>(model, problem, budget, may_specialise),
        _ if open <= u128::WIDTH => search::<M, u128>(model, problem, budget, may_specialise),
        _ if open <= Widest::WIDTH => search::<M, Widest>(model, problem, budget, may_specialise),
        _ => Searched::new(Outcome::Exhausted { why: Exceeded::Concurrency, moments: 0 }, Spent::default(), "none"),
    }
}

fn as_register(register: &dyn RegisterModel, problem: &Problem<'_>, open: usize, budget: &Budget<'_>) -> Option<Searched> {
    match open {
        _ if open <= u64::WIDTH => register::decide::<u64>(register, problem, budget),
        _ if open <= u128::WIDTH => register::decide::<u128>(register, problem, budget),
        _ if open <= Wide::<16>::WIDTH => register::decide::<Wide<16>>(register, problem, budget),
        _ if open <= Widest::WIDTH => register::decide::<Widest>(register, problem, budget),
        _ => None,
    }
}
