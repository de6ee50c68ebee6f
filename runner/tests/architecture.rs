//! The dependencies between crates are those of ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// Each crate, and the crates of the workspace that it may depend on.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("checkers", &["core"]),
    ("clients", &["core"]),
    ("workloads", &["core"]),
    ("control", &["core"]),
    ("agent", &[]),
    ("nemesis", &["core", "control", "agent"]),
    ("specimen", &[]),
    ("systems", &[]),
    ("runner", &["core", "checkers", "clients", "workloads", "control", "nemesis", "specimen", "systems"]),
];

/// Libraries that only these places may use, so that they can be replaced there.
const USED_ONLY_IN: &[(&str, &[&str])] = &[
    ("russh", &["control/src/ssh.rs", "control/src/sshd"]),
    ("serde_yaml", &["runner/src/plan", "control/src/system"]),
    ("plotters", &["runner/src/report"]),
    ("askama", &["runner/src/report"]),
    ("reqwest", &["clients/src", "examples/specimen/src"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn metadata() -> Json {
    let mut cargo = Command::new(env!("CARGO"));
    let output = cargo.current_dir(root()).args(["metadata", "--no-deps", "--offline", "--format-version=1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The dependencies of each crate of the workspace by name, without dev-dependencies.
fn dependencies(metadata: &Json) -> BTreeMap<String, BTreeSet<String>> {
    let crates = metadata["packages"].as_array().unwrap().iter();
    let name = |json: &Json| json["name"].as_str().unwrap().to_owned();
    crates
        .map(|package| {
            let built_with = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"] != "dev");
            (name(package), built_with.map(name).collect())
        })
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies(&metadata());
    let called = |name: &str| format!("elenchus-{name}");
    assert_eq!(
        dependencies.keys().cloned().collect::<BTreeSet<_>>(),
        MAY_DEPEND_ON.iter().map(|(name, _)| called(name)).collect(),
        "every crate is in the table"
    );
    for (name, allowed) in MAY_DEPEND_ON {
        let ours = dependencies[&called(name)].iter().filter(|dependency| dependency.starts_with("elenchus-"));
        let too_many: Vec<&String> = ours.filter(|dependency| !allowed.iter().any(|allowed| **dependency == called(allowed))).collect();
        assert!(too_many.is_empty(), "{name} depends on {too_many:?}");
    }
}

#[test]
fn core_and_checkers_do_no_io() {
    let dependencies = dependencies(&metadata());
    for name in ["elenchus-core", "elenchus-checkers"] {
        for library in ["tokio", "reqwest", "russh", "serde_yaml"] {
            assert!(!dependencies[name].contains(library), "{name} depends on {library}");
        }
    }
}

#[test]
fn libraries_are_used_only_where_they_may_be() {
    let root = root();
    for (name, places) in USED_ONLY_IN {
        for file in sources(&root) {
            let path = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).unwrap();
            let without_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
            let uses_it = without_tests.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                [format!("{name}::"), format!("use {name};")].iter().any(|use_of_it| code.contains(use_of_it))
            });
            assert!(!uses_it || places.iter().any(|place| path.starts_with(place)), "{path} uses {name}");
        }
    }
}

/// The Rust files of the crates' `src` folders, but for those of tests.
fn sources(root: &Path) -> Vec<PathBuf> {
    let crates = MAY_DEPEND_ON.iter().map(|(name, _)| match *name {
        "specimen" => "examples/specimen",
        "agent" => "nemesis/agent",
        name => name,
    });
    let mut folders: Vec<PathBuf> = crates.map(|name| root.join(name).join("src")).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && path.file_name().is_some_and(|name| name != "tests.rs") {
                files.push(path);
            }
        }
    }
    files
}
