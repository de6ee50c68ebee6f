//! What is read from EDN and JSON is written so that it is read back the same.

#![no_main]

use elenchus_core::exchange::{self, edn, json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(history) = exchange::parse(bytes) else { return };
    let mut text = Vec::new();
    edn::write(&history, &mut text).expect("memory takes it");
    assert_eq!(exchange::parse(&text).expect("what was written is EDN").events, history.events);
    text.clear();
    json::write(&history, &mut text).expect("memory takes it");
    assert!(exchange::parse(&text).is_ok(), "what was written is JSON");
});
