//! Public histories can be read completely, whatever wrote them.
//!
//! They are not part of this project: the folder is `ELENCHUS_DATA`, or `../shared/data` beside the repository.

use std::path::{Path, PathBuf};

use elenchus_core::exchange::{self, Format, ReadOptions, Skipped};

/// Returns the files below a folder with one of these endings.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let wanted = files.into_iter().filter(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)));
    wanted.chain(folders.iter().flat_map(|folder| self::files(folder, endings))).collect()
}

#[test]
fn public_histories_can_be_read() {
    let data =
        std::env::var_os("ELENCHUS_DATA").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if !data.is_dir() {
        return println!("skipped: no shared data at {}", data.display());
    }
    for path in files(&data, &[".edn", ".log", "-ok.txt", "-bad.txt"]) {
        let name = path.to_string_lossy();
        // Inputs of bug reports: some of them are malformed on purpose.
        if path.starts_with(data.join("reported")) {
            continue;
        }
        // Not histories: results of checkers, and an example from a paper without processes.
        if name.ends_with(".res.edn") || name.ends_with("paper-example.edn") {
            continue;
        }
        let text = std::fs::read(&path).expect("readable");
        if text.is_empty() {
            continue;
        }
        let options = ReadOptions { batch_bytes: 3000, ..ReadOptions::default() };
        let (history, skipped) = exchange::read_with(&path, &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(skipped, Skipped::default(), "{name}");
        assert_eq!(Format::sniff(&text) == Format::Log, name.ends_with(".log"), "{name}");
        assert!(!history.events.is_empty(), "{name}");
        assert_eq!(history, exchange::parse(&text).unwrap(), "{name}");
    }
}
