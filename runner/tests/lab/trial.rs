//! A run of the binary in a lab, and what it left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// How long a condition is awaited before the test fails.
const LIMIT: Duration = Duration::from_secs(120);

/// The number of labs that may run at once: each needs about half a core.
static FREE: LazyLock<Mutex<usize>> = LazyLock::new(|| Mutex::new(std::thread::available_parallelism().map_or(2, usize::from).max(2)));
static FREED: Condvar = Condvar::new();

/// One of the labs that may run at once.
struct Slot;

impl Slot {
    fn take() -> Slot {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = FREED.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREED.notify_one();
    }
}

/// Why no lab can be created here; none where one can.
static OBSTACLE: LazyLock<Option<String>> = LazyLock::new(|| {
    let probe = elenchus(["doctor", "runner/tests/lab/probe.yaml"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&probe.stderr);
    ["cannot create a lab on this machine", "lets no lab be made"]
        .iter()
        .any(|text| stderr.contains(text))
        .then(|| stderr.trim().to_owned())
});

/// A run of a plan, with a store of its own.
pub(crate) struct Trial {
    plan: &'static str,
    arguments: Vec<String>,
    store: tempfile::TempDir,
    _slot: Slot,
}

impl Trial {
    /// A run of this plan; none, with the reason printed, where no lab can be created.
    pub(crate) fn of(plan: &'static str) -> Option<Trial> {
        if let Some(obstacle) = OBSTACLE.as_ref() {
            println!("skipped: {obstacle}");
            return None;
        }
        Some(Trial { plan, arguments: vec!["--seed=1".to_owned()], store: tempfile::tempdir().unwrap(), _slot: Slot::take() })
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Trial {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = elenchus(["run", self.plan]);
        command.args(&self.arguments).arg("--store").arg(self.store.path());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Starts it in the background.
    pub(crate) fn start(&self) -> Running<'_> {
        let output = std::fs::File::create(self.store.path().join("output")).unwrap();
        let mut command = self.command();
        command.arg("--events").arg(self.store.path().join("events.jsonl"));
        let child = command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Running { trial: self, child }
    }

    /// The directory in which its runs are stored.
    pub(crate) fn store(&self) -> &Path {
        self.store.path()
    }

    /// The directory of the only run.
    pub(crate) fn dir(&self) -> PathBuf {
        let name = std::fs::read_dir(self.store.path()).unwrap().flatten().find(|entry| entry.path().is_dir()).expect("a run began");
        std::fs::canonicalize(name.path().join("latest")).unwrap()
    }

    pub(crate) fn results(&self) -> Json {
        serde_json::from_str(&std::fs::read_to_string(self.dir().join("results.json")).unwrap()).unwrap()
    }

    pub(crate) fn report(&self) -> String {
        std::fs::read_to_string(self.dir().join("report.html")).unwrap()
    }
}

/// A run in the background.
pub(crate) struct Running<'a> {
    trial: &'a Trial,
    pub(crate) child: Child,
}

impl Running<'_> {
    /// Its output so far.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.trial.store().join("output")).unwrap_or_default()
    }

    /// The events so far. A line that is being written is left out.
    pub(crate) fn events(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.trial.store().join("events.jsonl")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until the events satisfy a condition.
    pub(crate) fn await_events(&mut self, what: &str, holds: impl Fn(&[Json]) -> bool) {
        let began = Instant::now();
        while !holds(&self.events()) {
            assert!(self.child.try_wait().unwrap().is_none(), "the run ended before {what}: {}", self.output());
            assert!(began.elapsed() < LIMIT, "{what} did not happen within {LIMIT:?}: {}", self.output());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Interrupts it, as Ctrl-C does, and waits until it has ended.
    pub(crate) fn interrupt(&mut self) -> Option<i32> {
        let interrupted = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        self.child.wait().unwrap().code()
    }
}

/// How many injections of a fault have reached a step.
pub(crate) fn steps(events: &[Json], fault: &str, step: &str) -> usize {
    events.iter().filter(|event| event["fault"] == fault && event["step"] == step).count()
}

/// The number of successful operations that the last progress event reports.
pub(crate) fn successful(events: &[Json]) -> u64 {
    events.iter().rev().find_map(|event| event["operations"]["ok"].as_u64()).unwrap_or(0)
}

/// The binary, in the root of the repository.
pub(crate) fn elenchus<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).args(arguments);
    command
}

/// Whether a program is installed; prints the reason to skip where it is not.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Whether this process is root's; prints the reason to skip where it is not.
pub(crate) fn is_root(what: &str) -> bool {
    // The owner of this process' own entry.
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    if !is_root {
        println!("skipped: {what} needs root");
    }
    is_root
}

/// Whether the run was refused because no FUSE file system can be mounted here; prints the reason to skip.
pub(crate) fn lacks_fuse(output: &Output) -> bool {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lacks = output.status.code() == Some(3)
        && (stderr.contains("/dev/fuse cannot be opened") || stderr.contains("the agent could not mount its file system"));
    if lacks {
        println!("skipped: {}", stderr.trim());
    }
    lacks
}

/// Fails unless the command ended with this status; shows what it printed.
pub(crate) fn assert_status(output: &Output, status: i32) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{stdout}\n{stderr}");
}

/// A number of the results.
pub(crate) fn number(results: &Json, pointer: &str) -> u64 {
    results.pointer(pointer).and_then(Json::as_u64).unwrap_or_else(|| panic!("{pointer} in {results:#}"))
}
