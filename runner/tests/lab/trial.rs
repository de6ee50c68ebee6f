//! One run of the binary, and what it left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;

/// Labs share two cores with nobody.
static ALONE: Mutex<()> = Mutex::new(());

/// A run of a plan of `examples/`, with a store of its own.
pub(crate) struct Trial {
    plan: &'static str,
    arguments: Vec<String>,
    store: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Trial {
    /// None, with a word why, where no lab can be made.
    pub(crate) fn of(plan: &'static str) -> Option<Trial> {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let trial = Trial { plan, arguments: vec!["--seed=1".to_owned()], store: tempfile::tempdir().unwrap(), _alone: alone };
        let probe = elenchus(["doctor", "runner/tests/lab/probe.yaml"]).output().unwrap();
        let said = String::from_utf8_lossy(&probe.stderr);
        if said.contains("lets no lab be made") {
            println!("skipped: {}", said.trim());
            return None;
        }
        Some(trial)
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

    /// Lets it run to its end.
    pub(crate) fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Starts it. Whatever it says is in the file `told` of the store.
    pub(crate) fn start(&self) -> Child {
        let told = std::fs::File::create(self.store.path().join("told")).unwrap();
        self.command().stdin(Stdio::null()).stdout(told.try_clone().unwrap()).stderr(told).spawn().unwrap()
    }

    /// Where its runs are kept.
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

/// The binary, in the root of the repository.
pub(crate) fn elenchus<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elenchus"));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).args(arguments);
    command
}

/// Whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Whether the run was refused because no file system can be mounted here, which is said.
pub(crate) fn lacks_fuse(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    let lacks = said.contains("/dev/fuse cannot be opened by root") || said.contains("the agent could not mount its file system");
    if lacks {
        println!("skipped: {}", said.trim());
    }
    lacks
}

/// Fails unless the command ended with this status; shows what it said.
pub(crate) fn assert_status(output: &Output, status: i32) {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{stdout}\n{stderr}");
}

/// A number of the results.
pub(crate) fn number(results: &Json, pointer: &str) -> u64 {
    results.pointer(pointer).and_then(Json::as_u64).unwrap_or_else(|| panic!("{pointer} in {results:#}"))
}
