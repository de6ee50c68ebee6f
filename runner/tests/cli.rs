//! The command line: what it prints, and its exit statuses.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value as Json;
use tempfile::TempDir;

/// A read of nil after a write.
const STALE: &str = r#"{:process 0, :type :invoke, :f :write, :value 1, :time 1000000}
{:process 0, :type :ok, :f :write, :value 1, :time 2000000}
{:process 1, :type :invoke, :f :read, :value nil, :time 3000000}
{:process 1, :type :ok, :f :read, :value nil, :time 4000000}
"#;

/// A working directory for a test, in which the program runs.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        Desk(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> &Desk {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
        command.current_dir(self.path()).env("XDG_RUNTIME_DIR", self.path()).env_remove("RUST_LOG").env("COLUMNS", "120");
        command.args(words).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Exit status and both streams, as one text.
fn transcript(output: &Output) -> String {
    format!("status {:?}\n--- stdout\n{}--- stderr\n{}", output.status.code(), stdout(output), stderr(output))
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "cli", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn a_stale_read_is_shown_and_sets_the_exit_status() {
    let desk = Desk::new();
    desk.write("stale.edn", STALE);
    snapshot("check-invalid", &transcript(&desk.run(&["check", "stale.edn"])));
    snapshot("check-invalid-annotated", &transcript(&desk.run(&["check", "stale.edn", "--annotations", "github", "--junit", "junit.xml"])));
    snapshot("check-invalid-junit", &desk.read("junit.xml"));
    snapshot("check-quiet", &transcript(&desk.run(&["check", "stale.edn", "--quiet"])));
}

/// As in `elenchus check … | true`.
#[test]
fn a_closed_stdout_does_not_change_the_exit_status() {
    let desk = Desk::new();
    desk.write("stale.edn", STALE);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
    let output = command.current_dir(desk.path()).args(["check", "stale.edn"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
}

#[test]
fn json_output_is_one_object() {
    let desk = Desk::new();
    let output = desk.write("stale.edn", STALE).run(&["check", "stale.edn", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", transcript(&output));
    let results: Json = serde_json::from_slice(&output.stdout).expect("one object and nothing else");
    for (field, value) in [
        ("verdict", Json::from("invalid")),
        ("checker", "linearizable".into()),
        ("model", "cas-register".into()),
        ("operations", 2.into()),
        ("keys", 1.into()),
        ("outcomes", serde_json::json!({ "ok": 2, "fail": 0, "info": 0 })),
    ] {
        assert_eq!(results[field], value, "{field}");
    }
    for field in ["algorithm", "summary"] {
        assert!(results[field].is_string(), "{field}: {results:#}");
    }
    for field in ["elapsed_ms", "peak_bytes"] {
        assert!(results[field].as_f64().is_some_and(|number| number > 0.0), "{field}: {results:#}");
    }
    let failure = &results["failures"][0];
    assert_eq!((&failure["operation"], &failure["prefix"]), (&Json::from(2), &Json::from(2)));
    assert_eq!(failure["counterexample"], serde_json::json!([0, 2]));
    assert_eq!(results["findings"][0]["anomalies"][0]["operations"], serde_json::json!([0, 2]));
}

/// docs/results.md lists exactly the fields that are printed.
#[test]
fn results_are_documented() {
    let desk = Desk::new();
    desk.write("stale.edn", STALE).write("skew.edn", SKEW);
    let fields = |words: &[&str]| -> BTreeSet<String> {
        let results: Json = serde_json::from_slice(&desk.run(words).stdout).expect("one object");
        let failures = results["failures"].as_array().into_iter().flatten().filter_map(Json::as_object);
        results.as_object().into_iter().chain(failures).flat_map(|object| object.keys().cloned()).collect()
    };
    let printed: BTreeSet<String> = fields(&["check", "stale.edn", "--json"])
        .into_iter()
        .chain(fields(&["check", "skew.edn", "--checker", "list-append", "--isolation", "serializable", "--json"]))
        .chain(["witness".to_owned()])
        .collect();
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results.md")).unwrap();
    let rows = page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), printed);
}

/// Write skew: each transaction read what the other then overwrote.
const SKEW: &str = r#"{:process 0, :type :invoke, :f :txn, :value [[:r :x nil] [:append :y 1]], :time 1000000}
{:process 1, :type :invoke, :f :txn, :value [[:r :y nil] [:append :x 1]], :time 2000000}
{:process 0, :type :ok, :f :txn, :value [[:r :x []] [:append :y 1]], :time 3000000}
{:process 1, :type :ok, :f :txn, :value [[:r :y []] [:append :x 1]], :time 4000000}
{:process 2, :type :invoke, :f :txn, :value [[:r :x nil] [:r :y nil]], :time 5000000}
{:process 2, :type :ok, :f :txn, :value [[:r :x [1]] [:r :y [1]]], :time 6000000}
"#;

#[test]
fn transactions_are_checked_by_isolation_level() {
    let desk = Desk::new();
    desk.write("skew.edn", SKEW);
    let check = |isolation| desk.run(&["check", "skew.edn", "--checker", "list-append", "--isolation", isolation]);
    snapshot("check-skew-serializable", &transcript(&check("serializable")));
    assert_eq!(check("snapshot-isolation").status.code(), Some(0), "{}", transcript(&check("snapshot-isolation")));
    snapshot("check-skew-unknown-level", &transcript(&check("serialisable")));
    let words = ["check", "skew.edn", "--checker", "list-append", "--explain"];
    let explain = |anomaly| desk.run(&[words.as_slice(), &[anomaly]].concat());
    snapshot("check-skew-explained", &transcript(&explain("G2-item")));
    snapshot("check-skew-other", &transcript(&explain("G0")));
    let output = desk.run(&[words[..4].as_ref(), &["--json"]].concat());
    let results: Json = serde_json::from_slice(&output.stdout).expect("one object and nothing else");
    assert_eq!((&results["verdict"], &results["isolation"]), (&"invalid".into(), &"strict-serializable".into()));
    assert!(results["anomalies"]["G2-item"]["count"].as_u64() > Some(0), "{results:#}");
    for field in ["refuted", "also_refuted", "possible"] {
        assert!(results[field].as_array().is_some_and(|levels| !levels.is_empty()), "{field}: {results:#}");
    }
}

#[test]
fn any_checker_can_be_selected() {
    let desk = Desk::new();
    let bank = |sum: i64| {
        let read = |value: &str| format!("{{:process 0, :type :{value}}}\n");
        read("invoke, :f :read, :value nil") + &read(&format!("ok, :f :read, :value {{0 40, 1 {}}}", sum - 40))
    };
    desk.write("good.edn", &bank(100)).write("bad.edn", &bank(101));
    let check = |name, option| desk.run(&["check", name, "--checker", "bank", "--option", option]);
    assert_eq!(check("good.edn", "total=100").status.code(), Some(0), "{}", transcript(&check("good.edn", "total=100")));
    snapshot("check-bank", &transcript(&check("bad.edn", "total=100")));
    snapshot("usage-option", &transcript(&check("bad.edn", "totl=100")));
    snapshot("usage-option-form", &transcript(&check("bad.edn", "total")));
    let unknown = desk.run(&["check", "bad.edn", "--checker", "bnak"]);
    snapshot("usage-checker", &transcript(&unknown));
    // The former name of the flag.
    let alias = desk.run(&["check", "bad.edn", "--workload", "bnak"]);
    assert_eq!(transcript(&alias), transcript(&unknown));
    snapshot("checkers", &transcript(&desk.run(&["checkers"])));
}

#[test]
fn weaker_consistency_models_can_be_selected() {
    let desk = Desk::new();
    desk.write("stale.edn", STALE);
    let check = |model| desk.run(&["check", "stale.edn", "--model", model]);
    assert_eq!(check("sequential").status.code(), Some(0), "{}", transcript(&check("sequential")));
    snapshot("check-strongest", &transcript(&check("strongest")));
}

#[test]
fn a_valid_history_has_a_witness() {
    let desk = Desk::new();
    let fine = STALE.replace(":value nil, :time 4000000", ":value 1, :time 4000000");
    let output = desk.write("fine.edn", &fine).run(&["check", "fine.edn", "--model", "register", "--witness", "order.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", transcript(&output));
    let witness: Json = serde_json::from_str(&desk.read("order.json")).unwrap();
    let order = serde_json::json!([{ "operation": 0, "state": "1" }, { "operation": 2, "state": "1" }]);
    assert_eq!(witness, serde_json::json!([{ "key": null, "order": order }]));
}

#[test]
fn lenient_reading_counts_the_lines_it_skips() {
    let desk = Desk::new();
    desk.write("gaps.edn", &STALE.replace(":value 1, :time 1000000}", ":value 1, :time 1000000}\n{:process 0, :type :what}\n?!"));
    snapshot("check-lenient", &transcript(&desk.run(&["check", "gaps.edn", "--lenient"])));
    snapshot("check-not-lenient", &transcript(&desk.run(&["check", "gaps.edn"])));
}

#[test]
fn a_report_of_a_history_is_written_to_a_directory() {
    let desk = Desk::new();
    let output = desk.write("stale.edn", STALE).run(&["check", "stale.edn", "--report", "out"]);
    assert_eq!(output.status.code(), Some(1), "{}", transcript(&output));
    assert!(desk.read("out/report.html").contains("<svg") && desk.read("out/counterexample-1.svg").contains("read → nil"));
    let results: Json = serde_json::from_str(&desk.read("out/results.json")).unwrap();
    assert_eq!(results["verdict"], "invalid");
}

#[test]
fn a_valid_history_and_an_empty_one() {
    let desk = Desk::new();
    let fine = STALE.replace(":value nil, :time 4000000", ":value 1, :time 4000000");
    desk.write("fine.edn", &fine).write("empty.edn", "");
    snapshot("check-valid", &transcript(&desk.run(&["check", "fine.edn", "--model", "register"])));
    snapshot("check-empty", &transcript(&desk.run(&["check", "empty.edn"])));
}

#[test]
fn errors_are_explained() {
    let desk = Desk::new();
    desk.write("kind.edn", &STALE.replacen(":invoke", ":invokee", 1));
    desk.write("torn.edn", &STALE[..STALE.len() - 20]);
    desk.write("json.jsonl", "{\"process\": 0, \"type\": \"invoke\", \"f\": \"write\", \"value\": 1}\n{\"process\": 0, \"type\": \"ok\"\n");
    desk.write("orphan.edn", STALE.split_once('\n').unwrap().1);
    desk.write("foreign.edn", &STALE.replace(":write", ":enqueue"));
    desk.write("stale.edn", STALE);
    for (name, words) in [
        ("history-kind", ["check", "kind.edn"].as_slice()),
        ("history-torn", &["check", "torn.edn"]),
        ("history-json", &["check", "json.jsonl"]),
        ("history-orphan", &["check", "orphan.edn"]),
        ("history-foreign", &["check", "foreign.edn"]),
        ("history-missing", &["check", "nowhere.edn"]),
        ("history-directory", &["check", "."]),
        ("usage-model", &["check", "stale.edn", "--model", "queue"]),
        ("usage-model-near", &["check", "stale.edn", "--model", "cas-registre"]),
        ("usage-span", &["check", "stale.edn", "--time-limit", "5"]),
        ("usage-command", &["chekc"]),
        ("usage-no-plan", &["run"]),
        ("run-no-plan", &["run", "nowhere.yaml"]),
        ("lab-down-not-up", &["lab", "down"]),
        ("lab-status-not-up", &["lab", "status"]),
        ("heal-no-store", &["heal", "nowhere"]),
    ] {
        snapshot(name, &transcript(&desk.run(words)));
    }
}

#[test]
fn the_schema_is_a_schema_of_every_example() {
    let output = Desk::new().run(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let fields = schema["properties"].as_object().expect("fields of a plan");
    for field in ["name", "lab", "nodes", "ssh", "system", "client", "workload", "load", "nemesis", "seed", "store"] {
        let description = &fields[field]["description"];
        assert!(description.is_string() || fields[field].get("$ref").is_some(), "`{field}` is not documented: {}", fields[field]);
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = Desk::new().run(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("elenchus"), "{}", transcript(&output));
    }
}

/// The steps depend on the plan and the seed alone.
#[test]
fn a_dry_run_lists_every_step() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart.yaml");
    let words = ["run", plan.to_str().unwrap(), "--dry-run", "--seed", "7"];
    snapshot("dry-run", &transcript(&Desk::new().run(&words)));
}

#[test]
fn a_lab_stays_up_until_it_is_taken_down() {
    let desk = Desk::new();
    let up = desk.run(&["lab", "up", "--nodes", "3"]);
    if up.status.code() == Some(3) {
        println!("skipped: {}", stderr(&up));
        return;
    }
    assert!(up.status.success(), "{}", transcript(&up));
    let status = desk.run(&["lab", "status"]);
    assert!(stdout(&status).contains("n3    10.77.0.3"), "{}", transcript(&status));
    assert_eq!(desk.run(&["lab", "up"]).status.code(), Some(3), "one lab at a time");
    let shell = desk.run(&["lab", "shell", "n2", "--", "sh", "-c", "hostname; hostname >/var/mark; exit 7"]);
    assert_eq!((shell.status.code(), stdout(&shell).trim()), (Some(7), "n2"), "{}", transcript(&shell));
    let unknown = desk.run(&["lab", "shell", "n22"]);
    snapshot("lab-shell-unknown", &transcript(&unknown));
    let down = desk.run(&["lab", "down"]);
    assert!(down.status.success(), "{}", transcript(&down));
    assert_eq!(desk.run(&["lab", "status"]).status.code(), Some(3));
    assert!(!Path::new("/var/mark").exists(), "the node has its own file system");
}

#[test]
fn the_doctor_finds_the_example_healthy() {
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart.yaml");
    let output = Desk::new().run(&["doctor", plan.to_str().unwrap()]);
    if stderr(&output).contains("namespace") {
        println!("skipped: {}", stderr(&output));
        return;
    }
    snapshot("doctor-quickstart", &transcript(&output));
}

/// A plan that runs without any system, for a moment.
const MEMORY: &str = "name: memory\nnodes: [a]\ncontrol: none\nclient: memory\nworkload: register\nload: {duration: 1s, rate: 500}\n";

#[test]
fn a_damaged_journal_is_never_valid() {
    let desk = Desk::new();
    let run = desk.write("plan.yaml", MEMORY).run(&["run", "plan.yaml", "--quiet"]);
    assert_eq!(run.status.code(), Some(0), "{}", transcript(&run));
    let journal = std::fs::read(desk.path().join("store/memory/latest/history.journal")).unwrap();
    let check = |name: &str, bytes: &[u8]| {
        std::fs::write(desk.path().join(name), bytes).unwrap();
        desk.run(&["check", name])
    };
    assert_eq!(check("whole.journal", &journal).status.code(), Some(0));
    let mut flipped = journal.clone();
    flipped[journal.len() / 2] ^= 1;
    for (name, bytes) in [("flipped.journal", flipped.as_slice()), ("cut.journal", &journal[..journal.len() - 5])] {
        let checked = check(name, bytes);
        assert_eq!(checked.status.code(), Some(2), "{name}: {}", transcript(&checked));
        assert!(stdout(&checked).contains("bytes cannot be read, so the history is incomplete"), "{}", stdout(&checked));
    }
}

#[test]
fn a_password_of_the_command_line_is_not_stored() {
    let desk = Desk::new();
    let secret = ["--set", "ssh.password=Hunter2-flat", "--set", "ssh.jump={address: b, ssh: {password: Hunter2-nested}}"];
    let run = desk.write("plan.yaml", MEMORY).run(&[&["run", "plan.yaml"], &secret[..]].concat());
    assert_eq!(run.status.code(), Some(0), "{}", transcript(&run));
    assert!(!transcript(&run).contains("Hunter2"), "{}", transcript(&run));
    let stored = std::fs::read_dir(desk.path().join("store/memory/latest/")).unwrap();
    for file in stored.flatten() {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        assert!(!bytes.windows(7).any(|window| window == b"Hunter2"), "{} holds the password", file.path().display());
    }
    let refused = desk.run(&["run", "plan.yaml", "--set", "ssh={password: Hunter2-wrong, usr: x}"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(!transcript(&refused).contains("Hunter2"), "{}", transcript(&refused));
}
