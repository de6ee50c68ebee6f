//! Which algorithm decides a problem.

use elenchus_core::Model;

use super::bits::{Bits, Wide};
use super::budget::{Budget, Exceeded, Spent};
use super::monitor;
use super::outcome::{Outcome, Searched};
use super::problem::Problem;
use super::register;
use super::search::search;

/// Decides a problem with the monitor or the search that suits it.
pub(crate) fn decide<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget) -> Searched {
    monitor::decide(model, problem, budget).unwrap_or_else(|| of_concurrency(model, problem, budget, true))
}

/// Decides a problem with the search for any model, whose dead ends are whole states.
pub(crate) fn decide_by_states<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget) -> Searched {
    of_concurrency(model, problem, budget, false)
}

fn of_concurrency<M: Model>(model: &M, problem: &Problem<'_>, budget: &Budget, may_specialise: bool) -> Searched {
    match problem.concurrency() {
        open if open <= u64::WIDTH => of_width::<M, u64>(model, problem, budget, may_specialise),
        open if open <= u128::WIDTH => of_width::<M, u128>(model, problem, budget, may_specialise),
        open if open <= Wide::WIDTH => of_width::<M, Wide>(model, problem, budget, may_specialise),
        _ => {
            Searched { outcome: Outcome::Exhausted { why: Exceeded::Concurrency, moments: 0 }, spent: Spent::default(), algorithm: "none" }
        }
    }
}

fn of_width<M: Model, B: Bits>(model: &M, problem: &Problem<'_>, budget: &Budget, may_specialise: bool) -> Searched {
    let register = model.as_register().filter(|_| may_specialise);
    let special = register.and_then(|register| register::decide::<B>(register, problem, budget));
    special.unwrap_or_else(|| search::<M, B>(model, problem, budget))
}
