//! What a user is told of a broken plan: one file in `plans/` each, and beside it the message, whole.

use std::path::{Path, PathBuf};

use elenchus_runner::plan::Plan;

/// Every environment variable is unset, so that no test depends on where it runs.
fn no_environment(_: &str) -> Option<String> {
    None
}

/// What a user sees of a plan; none when nothing is wrong with it.
fn complaint(path: &Path, overrides: &[&str]) -> Option<String> {
    let overrides: Vec<String> = overrides.iter().map(|change| (*change).to_owned()).collect();
    let resolved = Plan::load(path, &overrides).and_then(|loaded| loaded.resolve(&no_environment));
    resolved.err().map(|error| error.render(false))
}

fn matches(name: &str, message: &str) {
    insta::with_settings!({snapshot_path => "plans", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, message);
    });
}

#[test]
fn every_broken_plan_is_explained() {
    let mut plans: Vec<PathBuf> = std::fs::read_dir("tests/plans").unwrap().map(|entry| entry.unwrap().path()).collect();
    plans.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    plans.sort();
    assert!(plans.len() >= 80, "only {} broken plans were found", plans.len());
    let mut wrong = Vec::new();
    for path in plans {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(message) = complaint(&path, &[]) else {
            wrong.push(format!("{name} was taken for a good plan"));
            continue;
        };
        // All differences are told at once, rather than one a run.
        if std::panic::catch_unwind(|| matches(&name, &message)).is_err() {
            wrong.push(format!("{name} is explained otherwise"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_is_not_there() {
    matches("file-missing", &complaint(Path::new("tests/plans/nowhere.yml"), &[]).unwrap());
    matches("file-is-a-folder", &complaint(Path::new("tests/plans"), &[]).unwrap());
}

/// Changes by `--set` to the quick start.
const CHANGES: &[(&str, &[&str])] = &[
    ("set-no-equals", &["load.rate"]),
    ("set-empty-path", &["=5"]),
    ("set-empty-step", &["load..rate=5"]),
    ("set-unknown-field", &["load.duraton=5s"]),
    ("set-unknown-field-top", &["sed=5"]),
    ("set-through-a-value", &["load.rate.max=5"]),
    ("set-no-such-item", &["nemesis.7.every=5s"]),
    ("set-name-in-a-list", &["nemesis.kill.every=5s"]),
    ("set-wrong-type", &["lab.nodes=many"]),
    ("set-wrong-type-map", &["load={rate: fast, duration: 5s}"]),
    ("set-impossible-value", &["load.rate=-5"]),
    ("set-of-several", &["load.duration=5s", "load.concurrency=0", "seed=1"]),
    ("set-unit-missing", &["load.duration=90"]),
    ("set-bad-yaml", &["name=[a"]),
    ("set-dangling-name", &["nemesis.1.kill.targets={nodes: [n9]}"]),
    ("set-unknown-option", &["system.options.defects=none"]),
    ("set-unknown-system", &["system=zookeper"]),
    ("set-makes-the-file-wrong", &["nemesis.0.every=3s"]),
    ("set-secret", &["ssh.password=hunter2", "ssh.sudo=hunter2"]),
];

#[test]
fn changes_are_explained() {
    for (name, changes) in CHANGES {
        let message = complaint(Path::new("../examples/quickstart.yaml"), changes);
        matches(name, &message.unwrap_or_else(|| panic!("{name} was taken for good")));
    }
}

#[test]
fn good_changes_are_made() {
    let load = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        Plan::load(Path::new("../examples/quickstart.yaml"), &changes).unwrap().resolve(&no_environment).unwrap()
    };
    let resolved = load(&["load.rate=200", "load.timeout=1m 30s", "nemesis=[]", "seed=7"]);
    assert_eq!((resolved.rate_hz, resolved.seed, resolved.nemesis.len()), (Some(200.0), Some(7), 0));
    assert_eq!(resolved.timeout.to_string(), "1m 30s");
    // What was written short is lengthened.
    let resolved = load(&["system=etcd", "system.options.heartbeat=50", "client=etcd", "client.etcd.reads=serializable"]);
    assert_eq!(resolved.system.unwrap().options.get("heartbeat").map(String::as_str), Some("50"));
}

#[test]
fn secrets_are_neither_shown_nor_kept() {
    let plan = "name: a\nnodes: [10.0.0.1]\nclient: noop\nworkload: {register: {}}\nssh:\n  password: hunter2\n  jump: {address: b, ssh: {password: 12345}}\n";
    let loaded = Plan::parse(plan, "plan.yaml", &[]).unwrap();
    let kept = loaded.without_secrets().unwrap();
    assert!(!kept.contains("hunter2") && !kept.contains("12345") && kept.matches("***").count() == 2, "{kept}");
    // What was kept says so when it is read again.
    let again = Plan::parse(&kept, "plan.yaml", &[]).unwrap().resolve(&no_environment).unwrap_err();
    assert!(again.to_string().contains("was not kept"), "{again}");
    for broken in [plan.replace("  jump", "  sudo: of\n  jump"), format!("{plan}  sudo: [\n")] {
        let error = Plan::parse(&broken, "plan.yaml", &[]).unwrap_err().render(false);
        assert!(!error.contains("hunter2") && !error.contains("12345"), "{error}");
    }
    let unset = plan.replace("hunter2", "${env:A}");
    let loaded = Plan::parse(&unset, "plan.yaml", &[]).unwrap();
    assert!(loaded.without_secrets().unwrap().contains("${env:A}"));
    assert!(loaded.resolve(&|name| (name == "A").then(|| "x".to_owned())).is_ok());
}
