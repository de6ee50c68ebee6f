//! Public histories with known verdicts.
//!
//! They are not part of this project: the folder is that of `ELENCHUS_DATA`, or `../shared/data` beside the repository.

use std::path::{Path, PathBuf};

use elenchus_checkers::linearizable::{Judgement, LinearizableOptions, check};
use elenchus_checkers::models::{AppendStore, CasRegister, MultiRegister, Mutex, Register};
use elenchus_core::{History, Model, Value, Verdict, exchange};

fn folder(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("ELENCHUS_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from)
        .join("linearizable")
        .join(name);
    if !data.is_dir() {
        println!("skipped: no shared data at {}", data.display());
        return None;
    }
    Some(data)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

fn judge<M: Model>(model: &M, history: &History) -> Judgement {
    check(model, history, &LinearizableOptions::default()).expect("judged")
}

#[test]
fn etcd_logs() {
    let Some(folder) = folder("porcupine-etcd") else { return };
    let expected = std::fs::read_to_string(folder.join("expected.csv")).expect("readable");
    let mut judged = 0;
    for line in expected.lines() {
        let (name, valid) = line.split_once(',').expect("two columns");
        let Ok(valid) = valid.trim().parse::<bool>() else { continue };
        let history = exchange::read(&folder.join(name)).expect("readable");
        assert!(!history.events.is_empty(), "{name}");
        let judgement = judge(&CasRegister::default(), &history);
        assert_eq!(judgement.verdict == Verdict::Valid, valid, "{name}");
        assert!(judgement.failures.iter().all(|failure| failure.is_minimal && failure.operations.len() < 30), "{name}");
        judged += 1;
    }
    assert_eq!(judged, 102);
}

#[test]
fn kv_logs() {
    let Some(folder) = folder("porcupine-kv") else { return };
    for file in files(&folder) {
        let name = file.display().to_string();
        let history = exchange::read(&file).expect("readable");
        let judgement = judge(&AppendStore, &history);
        assert_eq!(judgement.verdict == Verdict::Valid, name.ends_with("-ok.txt"), "{name}");
    }
}

fn knossos<M: Model>(model: &str, judged_by: &M, known: impl Fn(&str) -> Option<bool>) {
    for (folder_name, says) in [("good", true), ("bad", false)] {
        let Some(folder) = folder(&format!("knossos/{model}/{folder_name}")) else { continue };
        for file in files(&folder) {
            let name = file.file_name().expect("named").to_string_lossy().into_owned();
            let history = exchange::read(&file).unwrap_or_else(|error| panic!("{error}"));
            let judgement = judge(judged_by, &history);
            assert_eq!(judgement.verdict == Verdict::Valid, known(&name).unwrap_or(says), "{name}: {:#?}", judgement.failures);
        }
    }
}

#[test]
fn knossos_registers() {
    knossos("cas-register", &CasRegister::default(), |_| None);
    knossos("multi-register", &MultiRegister::new(Value::Int(0)), |_| None);
}

#[test]
fn knossos_mutexes() {
    knossos("mutex", &Mutex, |_| None);
}

/// Registers without compare-and-set are the same to both models.
#[test]
fn plain_registers() {
    let Some(folder) = folder("porcupine-etcd") else { return };
    for file in files(&folder).into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "log")) {
        let history = exchange::read(&file).expect("readable");
        if history.events.iter().all(|event| event.f != "cas") {
            assert_eq!(judge(&Register::default(), &history), judge(&CasRegister::default(), &history));
        }
    }
}
