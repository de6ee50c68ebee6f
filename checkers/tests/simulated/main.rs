//! Simulated stores keep what they guarantee and break what they break, by criteria that share no code with them or with the checkers.

mod orders;
mod phenomena;
mod single;
mod transactions;
