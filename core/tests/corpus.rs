//! What fuzzing found worth keeping (`fuzz/corpus`), read again.

mod fuzzed;

use std::path::Path;

/// Calls with every file of a target's corpus.
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
fn any_bytes_are_a_history_or_an_error() {
    replay("parse_history", fuzzed::reads_alike_in_pieces);
}

#[test]
fn values_survive_being_written() {
    replay("parse_value", fuzzed::reads_back_what_it_writes);
}
