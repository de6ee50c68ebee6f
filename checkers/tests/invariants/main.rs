//! The checkers of invariants: histories by hand for every kind of anomaly, and each checker against a naive definition of its own on many short
//! random histories. `ELENCHUS_CASES` sets how many.

mod bank;
mod kafka;
mod locks;
mod notation;
mod numbers;
mod orders;
mod queues;
mod replicas;
mod rows;
mod sagas;
mod sets;
mod snapshots;
mod table;
