//! Samples of long matrices: each day other cases, and all of them with `ELENCHUS_TEST_ALL=1`.

use std::time::UNIX_EPOCH;

use elenchus_core::Seed;

/// Whether every case of every matrix is tested.
pub(crate) fn is_all() -> bool {
    std::env::var("ELENCHUS_TEST_ALL").is_ok_and(|all| all == "1")
}

/// `count` of the cases, in their order, chosen by the seed of the day or `ELENCHUS_SEED`; prints how to repeat the choice.
pub(crate) fn sample<T: Clone>(what: &str, cases: &[T], count: usize) -> Vec<T> {
    if is_all() || count >= cases.len() {
        return cases.to_vec();
    }
    let day = || UNIX_EPOCH.elapsed().unwrap().as_secs() / 86_400;
    let seed = std::env::var("ELENCHUS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(day);
    println!("  {count} of {} {what} (ELENCHUS_SEED={seed} repeats the choice, ELENCHUS_TEST_ALL=1 takes all)", cases.len());
    let mut rng = Seed(seed).stream(what);
    let mut left: Vec<usize> = (0..cases.len()).collect();
    let mut chosen: Vec<usize> = (0..count).map(|_| left.swap_remove(rng.below(left.len() as u64) as usize)).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| cases[at].clone()).collect()
}
