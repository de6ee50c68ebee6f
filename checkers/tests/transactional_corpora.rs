//! Public histories of transactions with known verdicts.
//!
//! They are not part of this project: the folder is that of `ELENCHUS_DATA`, or `../shared/data` beside the repository.

use std::path::{Path, PathBuf};

use elenchus_checkers::transactional::{
    Analysis, Assumptions, Boundary, Datatype, Level, Phenomenon, TransactionalOptions, Transactions, analyse,
};
use elenchus_core::{Event, Kind, Nanos, Process, Symbol, Value, Verdict, exchange};

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
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // Some are fragments that name no process: each transaction is then one of its own.
    let mut process = 0;
    let lines = text.lines().map(|line| {
        process += u32::from(line.contains(":invoke"));
        if line.starts_with("{:index") && !line.contains(":process") {
            line.replacen('{', &format!("{{:process {process}, "), 1)
        } else {
            line.to_owned()
        }
    });
    let history =
        exchange::parse(lines.collect::<Vec<_>>().join("\n").as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    transactions(datatype, &history.events)
}

fn transactions(datatype: Datatype, events: &[Event]) -> Transactions {
    let mut transactions = Transactions::new(datatype);
    events.iter().for_each(|event| transactions.push(event).expect("well formed"));
    transactions
}

fn datatype(name: &str) -> Datatype {
    if name.starts_with("wr") { Datatype::RwRegister } else { Datatype::ListAppend }
}

fn levels(words: &str) -> Vec<Level> {
    words.split_whitespace().map(|word| Level::named(word.trim_start_matches(':')).unwrap_or_else(|| panic!("no level {word}"))).collect()
}

/// Every refuted level must be refuted by what is shown: some instance of a phenomenon that it proscribes.
fn is_shown(analysis: &Analysis<'_>) {
    for (phenomenon, found) in &analysis.found {
        assert!(found.count > 0 && !found.examples.is_empty(), "{phenomenon}");
        for example in &found.examples {
            let argument = analysis.argument(example).join("\n");
            assert!(!argument.is_empty() && !argument.contains(" must precede "), "{phenomenon}: {argument}");
            for (link, next) in example.cycle.iter().zip(example.cycle.iter().cycle().skip(1)) {
                assert_eq!(link.to, next.from, "{phenomenon}: {argument}");
            }
        }
    }
    let shown = Boundary::of(analysis.found.keys().copied());
    assert_eq!(shown, analysis.boundary);
}

/// For every simulated store: at least the levels that Elle refutes.
#[test]
fn refutes_what_elle_refutes() {
    let Some(folder) = folder() else { return };
    let verdicts = std::fs::read_to_string(folder.join("elle-verdicts.csv")).expect("readable");
    for line in verdicts.lines().skip(1).filter(|line| line.contains(",strict-serializable,")) {
        let [file, _, _, types, not, also_not] = line.split(',').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let transactions = load(&folder.join(file), datatype(file));
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        let found: Vec<String> = analysis.found.iter().map(|(phenomenon, found)| format!("{phenomenon} {}", found.count)).collect();
        let elle: Vec<Level> = levels(not).into_iter().chain(levels(also_not)).collect();
        let extra: Vec<Level> = Level::all().filter(|&level| analysis.refutes(level) && !elle.contains(&level)).collect();
        println!("{file}: Elle: {types}; here: {}; more refuted: {extra:?}", found.join(", "));
        for level in elle {
            assert!(analysis.refutes(level), "{file}: {level} is not refuted");
        }
        is_shown(&analysis);
        // The level that a store guarantees is never refuted.
        let promised = match file.split('-').nth(1) {
            Some("ssi") => Level::StrictSerializable,
            Some("si") => Level::StrongSnapshotIsolation,
            _ => continue,
        };
        assert!(!analysis.refutes(promised), "{file}: {promised} is refuted by {found:?}");
    }
}

/// Of the registers of snapshot-isolated stores Elle refutes nothing. Each is decided here, and most are found not to be serializable.
#[test]
fn decides_register_histories_that_elle_leaves_open() {
    let Some(folder) = folder() else { return };
    let mut refuted = 0;
    for file in ["si", "ssi"].into_iter().flat_map(|store| (11..15).map(move |seed| format!("wr-{store}-{seed}.edn"))) {
        let transactions = load(&folder.join(&file), Datatype::RwRegister);
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        let verdict = |level| analysis.verdict(level);
        println!("{file}: serializable is {}, refuted {:?}", verdict(Level::Serializable), analysis.boundary.refuted);
        for (phenomenon, found) in &analysis.found {
            println!("{}", analysis.text(*phenomenon, &found.examples[0]));
        }
        is_shown(&analysis);
        assert_eq!(verdict(Level::StrongSnapshotIsolation), Verdict::Valid, "{file}");
        assert_ne!(verdict(Level::Serializable), Verdict::Unknown, "{file}");
        if file.starts_with("wr-ssi") {
            assert_eq!(verdict(Level::StrictSerializable), Verdict::Valid, "{file}");
        }
        refuted += u32::from(verdict(Level::Serializable) == Verdict::Invalid);
    }
    assert!(refuted > 0);
}

/// The histories of Elle's own tests, under the same assumptions.
#[test]
fn refutes_what_elle_refutes_in_its_own_tests() {
    let Some(folder) = folder() else { return };
    let mut judged = 0;
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("elle-suite")).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    for file in files.iter().filter(|file| !file.to_string_lossy().ends_with(".res.edn")) {
        let name = file.file_name().expect("named").to_string_lossy().into_owned();
        if ["wr-0030.edn", "wr-0032.edn", "wr-0043.edn"].contains(&name.as_str()) {
            // Two were judged with an order of transactions from the database itself, which is not in the file: the ones before are the same
            // without. In the third a process does two things at a time.
            continue;
        }
        let result = std::fs::read_to_string(file.with_extension("res.edn")).expect("readable");
        let assumptions = Assumptions {
            writes_follow_reads: !result.contains(":wfr-keys? false"),
            sequential_keys: result.contains(":sequential-keys? true"),
            linearizable_keys: result.contains(":linearizable-keys? true"),
            ..Assumptions::default()
        };
        let transactions = load(file, datatype(&name));
        let analysis = analyse(&transactions, &TransactionalOptions { assumptions, ..TransactionalOptions::default() });
        let set = |key: &str| {
            let rest = result.split_once(key).map_or("", |(_, rest)| rest);
            rest.strip_prefix("#{").and_then(|rest| rest.split_once('}')).map_or(Vec::new(), |(words, _)| levels(words))
        };
        let elle: Vec<Level> = set(", :not ").into_iter().chain(set(":also-not ")).collect();
        let found: Vec<&str> = analysis.found.keys().map(|phenomenon| phenomenon.name()).collect();
        println!("{name}: {found:?}; {:?}", analysis.boundary.refuted);
        for level in elle {
            assert!(analysis.refutes(level), "{name}: {level} is not refuted: {found:?}\n{result}");
        }
        is_shown(&analysis);
        judged += 1;
    }
    assert_eq!(judged, 45);
}

#[test]
fn decides_the_largest_component_completely() {
    let Some(folder) = folder() else { return };
    let transactions = load(&folder.join("huge-scc.edn"), Datatype::ListAppend);
    let analysis = analyse(&transactions, &TransactionalOptions::default());
    let found: Vec<String> = analysis.found.iter().map(|(phenomenon, found)| format!("{phenomenon} {}", found.count)).collect();
    println!(
        "{} transactions, component of {}: {}; {:?}",
        transactions.len(),
        analysis.largest_component,
        found.join(", "),
        analysis.boundary
    );
    for (phenomenon, found) in &analysis.found {
        println!("{}", analysis.text(*phenomenon, &found.examples[0]));
    }
    assert!(analysis.found.contains_key(&Phenomenon::GSingleItemRealtime));
    is_shown(&analysis);
}

#[test]
fn knows_the_examples_of_the_literature() {
    let Some(folder) = folder() else { return };
    let analysis = |name: &str| {
        let transactions = load(&folder.join(name), Datatype::ListAppend);
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        is_shown(&analysis);
        (analysis.found.keys().copied().collect::<Vec<_>>(), analysis.boundary.clone())
    };
    // Every non-rw edge of its cycles leaves the same transaction, so that anti-dependencies are adjacent in all: snapshot isolation may hold.
    let (found, boundary) = analysis("si-without-g-single.edn");
    assert!(found.contains(&Phenomenon::G2Item) && !found.contains(&Phenomenon::GNonadjacentItem), "{found:?}");
    assert!(boundary.refutes(Level::RepeatableRead) && !boundary.refutes(Level::SnapshotIsolation));
    let (found, _) = analysis("paper-example.edn");
    assert!(found.contains(&Phenomenon::GSingleItem), "{found:?}");
}

/// Hand-written anomalies of registers, with the levels that satisfy them by brute force. What holds is never refuted.
#[test]
fn refutes_nothing_that_holds_in_the_zoo() {
    let Some(folder) = folder() else { return };
    let zoo: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("zoo/zoo.json")).expect("readable")).expect("JSON");
    let judged = [
        ("RC", Level::StrongSessionReadCommitted),
        ("RA", Level::ReadAtomic),
        ("CC", Level::TransactionalCausal),
        ("PC", Level::Prefix),
        ("SI", Level::StrongSessionSnapshotIsolation),
        ("SER", Level::StrongSessionSerializable),
    ];
    let mut missed = Vec::new();
    for (name, entry) in zoo.as_object().expect("a map").iter().filter(|(_, entry)| entry["kind"] == "rw-register") {
        let mut events = Vec::new();
        for (process, session) in entry["history"].as_array().expect("sessions").iter().enumerate() {
            for (at, txn) in session.as_array().expect("transactions").iter().enumerate() {
                let step = |step: &serde_json::Value| {
                    let number = |at: usize| step[at].as_i64().expect("a number");
                    Value::List(vec![if number(0) == 0 { "r" } else { "w" }.into(), number(1).into(), number(2).into()])
                };
                let value = Value::List(txn.as_array().expect("steps").iter().map(step).collect());
                for kind in [Kind::Invoke, Kind::Ok] {
                    let event = Event {
                        time: Nanos::ZERO,
                        process: Process::Client(process as u32),
                        kind,
                        f: Symbol::of("txn"),
                        key: None,
                        value: value.clone(),
                        error: None,
                        node: None,
                    };
                    // All first transactions overlap, then all second ones, and so on.
                    events.push((at, kind == Kind::Ok, process, event));
                }
            }
        }
        events.sort_by_key(|&(at, completes, process, _)| (at, completes, process));
        let mut transactions = Transactions::new(Datatype::RwRegister).with_initial(&Value::Int(0));
        events.iter().for_each(|(.., event)| transactions.push(event).expect("well formed"));
        let analysis = analyse(&transactions, &TransactionalOptions::default());
        is_shown(&analysis);
        for (key, level) in judged {
            let holds = entry["expected"][key].as_bool().expect("a verdict");
            assert!(!(holds && analysis.refutes(level)), "{name}: {level} is refuted by {:?}", analysis.found.keys());
            if !holds && !analysis.refutes(level) {
                missed.push(format!("{name}: {key}"));
            }
        }
    }
    println!("not refuted, for want of the order of blind writes, or because RC is less here than in Biswas & Enea: {missed:?}");
}
