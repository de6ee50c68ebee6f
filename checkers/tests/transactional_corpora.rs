//! Public histories of transactions with known verdicts.
//!
//! They are not part of this project: the folder is that of `ELENCHUS_DATA`, or `../shared/data` beside the repository.

use std::path::{Path, PathBuf};

use elenchus_checkers::transactional::{Datatype, Level, Options, Transactions, analyse};
use elenchus_core::exchange;

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("ELENCHUS_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from)
        .join("transactions");
    if !data.is_dir() {
        println!("skipped: no shared data at {}", data.display());
        return None;
    }
    Some(data)
}

fn load(path: &Path, datatype: Datatype) -> Transactions {
    let history = exchange::read(path).unwrap_or_else(|error| panic!("{error}"));
    let mut transactions = Transactions::new(datatype);
    for event in &history.events {
        transactions.push(event).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    transactions
}

fn levels(words: &str) -> Vec<Level> {
    words.split_whitespace().map(|word| Level::named(word).unwrap_or_else(|| panic!("no level {word}"))).collect()
}

/// For every simulated store: at least the levels that Elle refutes when it looks for everything.
#[test]
fn refutes_what_elle_refutes() {
    let Some(folder) = folder() else { return };
    let verdicts = std::fs::read_to_string(folder.join("elle-verdicts.csv")).expect("readable");
    for line in verdicts.lines().skip(1) {
        let [file, model, _, types, not, also_not] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let datatype = if file.starts_with("append") { Datatype::ListAppend } else { continue };
        let transactions = load(&folder.join(file), datatype);
        let analysis = analyse(&transactions, &Options::default());
        let found: Vec<String> = analysis.found.iter().map(|(phenomenon, found)| format!("{phenomenon}: {}", found.count)).collect();
        println!("{file} {model} [{types}]\n   {}\n   {:?}", found.join(", "), analysis.boundary.refuted);
        for level in levels(not).into_iter().chain(levels(also_not)) {
            assert!(analysis.refutes(level), "{file}: {level} is not refuted");
        }
    }
}
