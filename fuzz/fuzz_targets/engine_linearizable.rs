//! The linearizability engine against an oracle that tries every order.

#![no_main]

#[path = "../../checkers/tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|data: &[u8]| common::fuzzed::engine_agrees_with_oracle(data));
