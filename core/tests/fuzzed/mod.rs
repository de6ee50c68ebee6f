//! Properties of reading arbitrary bytes: the bodies of the fuzz targets `parse_history` and `parse_value`.

use std::io::Cursor;

use elenchus_core::History;
use elenchus_core::exchange::{self, ReadOptions, Skipped, edn, json};

fn read(bytes: &[u8], lenient: bool, batch_bytes: usize) -> Result<(History, Skipped), String> {
    let options = ReadOptions { lenient, threads: 1, batch_bytes };
    let events = exchange::events_from("fuzz", Cursor::new(bytes.to_vec()), &options).map_err(|error| error.to_string())?;
    events.into_history().map_err(|error| error.to_string())
}

/// Reading in one chunk and in many gives the same history or the same error, in strict and in lenient mode.
pub(crate) fn reads_alike_in_pieces(bytes: &[u8]) {
    for lenient in [false, true] {
        let whole = read(bytes, lenient, 1 << 20);
        assert_eq!(read(bytes, lenient, 64), whole, "cut into pieces, lenient: {lenient}");
        if let Ok((history, _)) = whole {
            let _ = history.operations();
        }
    }
}

/// A history read from arbitrary bytes round-trips through EDN, and is written as valid JSON.
pub(crate) fn reads_back_what_it_writes(bytes: &[u8]) {
    let Ok(history) = exchange::parse(bytes) else { return };
    let mut text = Vec::new();
    edn::write(&history, &mut text).expect("memory takes it");
    assert_eq!(exchange::parse(&text).expect("what was written is EDN").events, history.events);
    text.clear();
    json::write(&history, &mut text).expect("memory takes it");
    assert!(exchange::parse(&text).is_ok(), "what was written is JSON");
}
