//! Any bytes are a history, or an error with its place.

#![no_main]

#[path = "../../core/tests/fuzzed/mod.rs"]
#[allow(dead_code)]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::reads_alike_in_pieces(bytes));
