//! Any bytes are a history, or an error with its place: strictly and leniently, in one piece and in many.

#![no_main]

use std::io::Cursor;

use elenchus_core::History;
use elenchus_core::exchange::{self, ReadOptions, Skipped};
use libfuzzer_sys::fuzz_target;

fn read(bytes: &[u8], lenient: bool, batch_bytes: usize) -> Result<(History, Skipped), String> {
    let options = ReadOptions { lenient, threads: 1, batch_bytes };
    let events = exchange::events_from("fuzz", Cursor::new(bytes.to_vec()), &options).map_err(|error| error.to_string())?;
    events.into_history().map_err(|error| error.to_string())
}

fuzz_target!(|bytes: &[u8]| {
    for lenient in [false, true] {
        let whole = read(bytes, lenient, 1 << 20);
        assert_eq!(read(bytes, lenient, 64), whole, "cut into pieces, lenient: {lenient}");
        if let Ok((history, _)) = whole {
            let _ = history.operations();
        }
    }
});
