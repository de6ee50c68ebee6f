//! Replays the fuzzing corpus (`fuzz/corpus`).

mod fuzzed;

use std::path::Path;

/// Runs a fuzz target on every file of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = folder.read_dir().expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() > 10, "{} has only {} files", folder.display(), files.len());
    for file in files {
        println!("{}", file.display());
        run(&std::fs::read(&file).expect("readable"));
    }
}

#[test]
fn any_bytes_parse_or_give_an_error() {
    replay("parse_history", fuzzed::reads_alike_in_pieces);
}

#[test]
fn parsed_histories_round_trip() {
    replay("parse_value", fuzzed::reads_back_what_it_writes);
}
