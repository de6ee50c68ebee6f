//! The conformance suite: properties of every registered fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use elenchus_control::Host;
use elenchus_control::config::HostConfig;
use elenchus_control::system::{Definition, Node, System};
use elenchus_core::Seed;

use super::{NAMES, defaults};
use crate::fault::{About, Decision, Fault, Injection};
use crate::means::remote_script::{NodeActions, RemoteScript};
use crate::{Cluster, Roster, Scheduled, unmet};

/// A system with every command that a fault may need.
const SYSTEM: &str = "
name: sys
start: {command: 'exec sys'}
data: [/var/lib/sys]
primary: 'echo {{ node.name }}'
membership: {view: 'echo n1', add: 'true', remove: 'true', demote: 'true'}
";

/// These faults have nothing that could be undone on all nodes: they end at once, or only the plan knows how.
const WITHOUT_UNDO_ALL: [&str; 2] = ["sever", "shell"];

fn roster() -> Roster {
    let zones = BTreeMap::from([("east".to_owned(), vec!["n1".to_owned(), "n2".to_owned()])]);
    Roster::new((1..=5).map(|number| format!("n{number}")).collect(), &zones).unwrap()
}

fn cluster() -> Cluster {
    let node = |number: u32| {
        let (name, address) = (format!("n{number}"), format!("192.0.2.{number}"));
        let config = HostConfig { power_on: Some(format!("virsh start {name}")), ..HostConfig::new(&address) };
        Node { host: Host::new(&name, config), name, address }
    };
    let nodes: Vec<Node> = (1..=5).map(node).collect();
    let places: Vec<(String, String)> = nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect();
    let system = System::new(definition(), &BTreeMap::new(), Path::new("/"), &places).unwrap();
    Cluster::new(nodes, Some(system)).with_roster(roster())
}

fn definition() -> Definition {
    serde_yaml::from_str(SYSTEM).unwrap()
}

/// A line of a plan with the example of a fault.
fn example(about: &About) -> Scheduled {
    let line = format!("{{{}: {}, every: 9s, for: 2s}}", about.name, about.example);
    serde_yaml::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Calls a function with the example of every fault.
fn for_each(check: impl Fn(&'static About, &dyn Fault)) {
    for about in defaults().iter().map(|fault| fault.about()) {
        let line = example(about);
        check(about, line.faults()[0].0);
    }
}

fn injection(fault: &dyn Fault, seed: u64) -> Injection {
    match fault.decide(&roster(), &mut Seed(seed).stream("conformance")) {
        Decision::Injection(injection) => injection,
        Decision::Primaries { seed } => fault.at_primaries(&roster(), &[1], seed),
    }
}

fn actions(fault: &dyn Fault) -> Vec<NodeActions> {
    let cluster = cluster();
    let own = fault.actions(&cluster, 7, &injection(fault, 1)).unwrap();
    own.into_iter().chain(fault.mounts().map(|mounts| mounts.mount(&cluster)).unwrap_or_default()).collect()
}

fn undo_all(fault: &dyn Fault) -> Vec<RemoteScript> {
    let cluster = cluster();
    let own = fault.undo_all(&cluster).unwrap();
    own.into_iter().chain(fault.mounts().map(|mounts| mounts.unmount_all(&cluster)).unwrap_or_default()).collect()
}

/// Asserts that a shell can parse a script; it is not run.
fn assert_parses(what: &str, script: &str) {
    let read = Command::new("sh").arg("-n").arg("-c").arg(script).output().unwrap();
    assert!(read.status.success(), "{what}: {}\n{script}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn keys_and_names_agree() {
    let names: Vec<&str> = defaults().iter().map(|fault| fault.name()).collect();
    assert_eq!(names, NAMES);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "every name is unique");
}

#[test]
fn every_cell_is_filled_with_a_phrase() {
    for_each(|about, _| {
        for cell in [about.what, about.how, about.needs, about.verified, about.healed, about.example] {
            assert!(!cell.trim().is_empty() && !cell.ends_with('.'), "{}: {cell:?}", about.name);
        }
    });
}

#[test]
fn examples_are_valid_and_can_be_written() {
    for_each(|about, _| {
        let line = example(about);
        assert_eq!(line.check(&roster()), Ok(()), "{}", about.name);
        assert_eq!(unmet(std::slice::from_ref(&line), Some(&definition())), None, "{}", about.name);
        let written = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Scheduled>(&written).unwrap(), line);
    });
}

#[test]
fn settings_reject_unknown_keys() {
    for name in NAMES {
        let line = format!("{{{name}: {{no_such_key: 1}}, every: 9s, for: 2s}}");
        assert!(serde_yaml::from_str::<Scheduled>(&line).is_err(), "{line}");
    }
}

#[test]
fn the_schema_has_every_key_with_a_description() {
    let schema = serde_json::to_value(schemars::schema_for!(Scheduled)).unwrap();
    for name in NAMES {
        let property = &schema["properties"][name];
        let reference = property["anyOf"][0]["$ref"].as_str().unwrap_or_else(|| panic!("{name}: {property}"));
        let definition = schema.pointer(reference.trim_start_matches('#')).unwrap();
        assert!(definition["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no description");
    }
}

#[test]
fn the_documentation_and_the_terminal_name_every_fault() {
    let (page, terminal) = (crate::catalogue::markdown(), crate::catalogue::terminal());
    for name in NAMES {
        assert!(
            page.contains(&format!("| `{name}`")) && terminal.lines().any(|line| line.split([' ', ':']).next() == Some(name)),
            "{name}"
        );
    }
}

#[test]
fn decisions_follow_from_the_seed() {
    for_each(|about, fault| {
        let decided = (1..20).map(|seed| injection(fault, seed)).collect::<Vec<_>>();
        assert_eq!(decided, (1..20).map(|seed| injection(fault, seed)).collect::<Vec<_>>(), "{}", about.name);
        assert!(decided.iter().all(|injection| !injection.description.is_empty() && !injection.nodes.is_empty()), "{}", about.name);
    });
}

#[test]
fn every_script_parses() {
    for_each(|about, fault| {
        for node in actions(fault) {
            for (what, script) in
                [("inject", &node.inject), ("verify", &node.verify), ("undo", &node.undo), ("verify_undone", &node.verify_undone)]
            {
                assert!(!script.trim().is_empty(), "{}: no {what}", about.name);
                assert_parses(&format!("{} {what}", about.name), script);
            }
        }
        undo_all(fault).iter().for_each(|script| assert_parses(&format!("{} undo_all", about.name), &script.script));
        fault.requirements().iter().for_each(|requirement| {
            assert_parses(&format!("{} requirement", about.name), &requirement.test);
            assert!(!requirement.advice.is_empty(), "{}", about.name);
        });
    });
}

#[test]
fn scripts_are_deterministic_and_ids_keep_injections_apart() {
    for_each(|about, fault| {
        assert_eq!(actions(fault), actions(fault), "{}", about.name);
        let (cluster, injection) = (cluster(), injection(fault, 1));
        let undo = |id| fault.actions(&cluster, id, &injection).unwrap().into_iter().map(|node| node.undo).collect::<Vec<_>>();
        if about.overlap == crate::Overlap::Independent && !WITHOUT_UNDO_ALL.contains(&about.name) {
            assert_ne!(undo(7), undo(8), "{}: two independent injections are undone by the same scripts", about.name);
        }
    });
}

#[test]
fn every_fault_can_be_undone_on_every_node() {
    for_each(|about, fault| {
        let covered: BTreeSet<String> = undo_all(fault).into_iter().map(|script| script.node).collect();
        let expected = if WITHOUT_UNDO_ALL.contains(&about.name) { 0 } else { roster().count() };
        assert_eq!(covered.len(), expected, "{}", about.name);
    });
}

#[test]
fn faults_that_take_nodes_down_bring_them_back() {
    let cluster = cluster();
    for_each(|about, fault| {
        if let Some(takes_down) = fault.takes_down() {
            assert_eq!(takes_down.check_cluster(&cluster), Ok(()), "{}", about.name);
            assert!(!takes_down.recovery(&cluster, "n1").within.0.is_zero(), "{}", about.name);
        }
    });
}

/// All source files below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Modules that a macro declares are not seen by `cargo fmt`: run `rustfmt --edition 2024 nemesis/src/faults/*/*.rs`.
#[test]
fn every_file_is_formatted() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faults"));
    match Command::new("rustfmt").args(["--check", "--edition", "2024"]).args(files).output() {
        Ok(output) => assert!(output.status.success(), "run `rustfmt --edition 2024`:\n{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => println!("skipped: rustfmt could not be run: {error}"),
    }
}
