//! Values parsed from EDN and JSON survive writing and parsing again.

#![no_main]

#[path = "../../core/tests/fuzzed/mod.rs"]
#[allow(dead_code)]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzed::reads_back_what_it_writes(bytes));
