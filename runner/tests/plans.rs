//! The error messages of invalid plans: a file in `plans/` for each, and beside it the whole message.

use std::path::{Path, PathBuf};

use elenchus_runner::plan::Plan;

/// An environment without variables, so that no test depends on where it runs.
fn no_environment(_: &str) -> Option<String> {
    None
}

/// The error message of a plan; none for a valid one.
fn message(path: &Path, overrides: &[&str]) -> Option<String> {
    let overrides: Vec<String> = overrides.iter().map(|change| (*change).to_owned()).collect();
    let resolved = Plan::load(path, &overrides).and_then(|source| source.resolve(&no_environment));
    resolved.err().map(|error| error.render(false))
}

fn matches(name: &str, message: &str) {
    insta::with_settings!({snapshot_path => "plans", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, message);
    });
}

#[test]
fn the_error_of_every_invalid_plan_is_shown() {
    let mut plans: Vec<PathBuf> = std::fs::read_dir("tests/plans").unwrap().map(|entry| entry.unwrap().path()).collect();
    plans.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    plans.sort();
    assert!(plans.len() >= 80, "only {} invalid plans were found", plans.len());
    let mut wrong = Vec::new();
    for path in plans {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(shown) = message(&path, &[]) else {
            wrong.push(format!("{name} was accepted"));
            continue;
        };
        // All differences are reported at once.
        if std::panic::catch_unwind(|| matches(&name, &shown)).is_err() {
            wrong.push(format!("{name} has another message"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_that_cannot_be_read() {
    matches("file-missing", &message(Path::new("tests/plans/nowhere.yml"), &[]).unwrap());
    matches("file-is-a-folder", &message(Path::new("tests/plans"), &[]).unwrap());
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
fn the_error_of_every_invalid_change_is_shown() {
    for (name, changes) in CHANGES {
        let shown = message(Path::new("../examples/quickstart.yaml"), changes);
        matches(name, &shown.unwrap_or_else(|| panic!("{name} was accepted")));
    }
}

#[test]
fn valid_changes_are_applied() {
    let load = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        Plan::load(Path::new("../examples/quickstart.yaml"), &changes).unwrap().resolve(&no_environment).unwrap()
    };
    let resolved = load(&["load.rate=200", "load.timeout=1m 30s", "nemesis=[]", "seed=7"]);
    assert_eq!((resolved.rate_hz, resolved.seed, resolved.nemesis.len()), (Some(200.0), Some(7), 0));
    assert_eq!(resolved.timeout.to_string(), "1m 30s");
    // A short form is replaced by the long one.
    let resolved = load(&["system=etcd", "system.options.heartbeat=50", "client=etcd", "client.etcd.reads=serializable"]);
    let system = resolved.system.unwrap();
    assert!(system.on("n1").unwrap().daemon.command.contains("--heartbeat-interval 50"));
}

#[test]
fn secrets_are_neither_shown_nor_stored() {
    let plan = "name: a\nnodes: [10.0.0.1]\nclient: noop\nworkload: {register: {}}\nssh:\n  password: hunter2\n  jump: {address: b, ssh: {password: 12345}}\n";
    let source = Plan::parse(plan, "plan.yaml", &[]).unwrap();
    let kept = source.without_secrets().unwrap();
    assert!(!kept.contains("hunter2") && !kept.contains("12345") && kept.matches("***").count() == 2, "{kept}");
    // A stored plan that is read again says why its password is missing.
    let again = Plan::parse(&kept, "plan.yaml", &[]).unwrap().resolve(&no_environment).unwrap_err();
    assert!(again.to_string().contains("are not stored"), "{again}");
    for broken in [plan.replace("  jump", "  sudo: of\n  jump"), format!("{plan}  sudo: [\n")] {
        let error = Plan::parse(&broken, "plan.yaml", &[]).unwrap_err().render(false);
        assert!(!error.contains("hunter2") && !error.contains("12345"), "{error}");
    }
    let unset = plan.replace("hunter2", "${env:A}");
    let source = Plan::parse(&unset, "plan.yaml", &[]).unwrap();
    assert!(source.without_secrets().unwrap().contains("${env:A}"));
    assert!(source.resolve(&|name| (name == "A").then(|| "x".to_owned())).is_ok());
}

#[test]
fn words_in_either_spelling_are_accepted_with_a_hint() {
    let text = "name: a\nnodes: [{address: 10.0.0.1, ssh-address: b}]\nstop-on: never\nssh: {host-key: accept-new}\nclient: noop\nworkload: {register: {ops-per-key: 5}}\n";
    let source = Plan::parse(text, "plan.yaml", &["load.timeout=1s".to_owned(), "ssh.connect-timeout=3s".to_owned()]).unwrap();
    assert_eq!(source.hints.first().map(String::as_str), Some("plan.yaml:2:29: `ssh-address` is accepted; plans spell it `ssh_address`"));
    assert_eq!(source.hints.len(), 5, "{:#?}", source.hints);
    let kept = source.without_secrets().unwrap();
    assert!(kept.contains("host_key: accept_new") && kept.contains("connect_timeout: 3s") && kept.contains("ops_per_key: 5"), "{kept}");
    // An error after a respelled word is shown at its place in the user's text.
    let error = Plan::parse(&text.replace("accept-new", "acept-new"), "plan.yaml", &[]).unwrap_err().render(false);
    assert!(error.contains("plan.yaml:4:17") && error.contains("host-key: acept-new"), "{error}");
}

#[test]
fn checks_of_a_plan_set_options_and_add_checks() {
    let text = "name: a\nnodes: [n1]\ncontrol: none\nclient: memory\nworkload: register\nchecks: {linearizable: {time_limit: 5}, monotonic-reads: {}}\n";
    let resolved = Plan::parse(text, "plan.yaml", &[]).unwrap().resolve(&no_environment).unwrap();
    let checks: Vec<String> = resolved.checks.iter().map(|check| serde_json::to_string(check).unwrap()).collect();
    assert_eq!(
        checks,
        [
            r#"{"checker":"linearizable","options":{"model":"cas-register","time-limit":5}}"#,
            r#"{"checker":"monotonic-reads","options":{}}"#
        ]
    );
}
