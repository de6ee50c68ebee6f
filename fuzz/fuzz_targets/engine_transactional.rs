//! The transaction engine against an oracle that tries every order.

#![no_main]

#[path = "../../checkers/tests/transactions/mod.rs"]
mod transactions;

libfuzzer_sys::fuzz_target!(|data: &[u8]| transactions::engine_agrees_with_oracle(data));
