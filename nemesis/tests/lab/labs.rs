//! Several labs side by side, each a process of its own, that take tests from one queue.
//!
//! Tests mostly wait for time-outs, so labs side by side take little more processor time than one.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::rootless::Rootless;

/// The folder of the queue, for the process of a lab.
const QUEUE: &str = "ELENCHUS_TEST_QUEUE";

/// The last line of a lab whose tests have passed.
pub(crate) const PASSED: &str = "all tests of this lab passed";

/// How many labs run side by side, unless `ELENCHUS_TEST_LABS` says otherwise.
const LABS: usize = 3;

/// Tests that create cgroups. Labs share the machine's hierarchies, in which one lab's heal can disable a controller that another one uses.
const CGROUPS: &[&str] = &[
    "busybox::",
    "controller::",
    "processes::the_freezer",
    "resources::a_throttled",
    "resources::exceeding",
    "resources::io_limits",
    "resources::limits_are",
    "resources::pid_limits",
];

/// The tests that no lab has begun: a test is claimed by creating a file of its name.
pub(crate) struct Queue {
    folder: PathBuf,
}

/// A test that this lab has to run.
pub(crate) struct Claim {
    pub(crate) name: String,
    /// Locked while the test creates cgroups.
    _cgroups: Option<File>,
}

impl Queue {
    /// The queue of the lab that this process runs; None in the first process.
    pub(crate) fn of_this_lab() -> Option<Queue> {
        std::env::var_os(QUEUE).map(|folder| Queue { folder: folder.into() })
    }

    /// Claims the next test; waits while other labs' tests exclude all that are left. None when none is left.
    pub(crate) async fn next(&self, names: &[&str]) -> Option<Claim> {
        loop {
            let mut is_excluded = false;
            for name in names.iter().filter(|name| !self.folder.join(name).exists()) {
                let cgroups = CGROUPS.iter().any(|prefix| name.starts_with(prefix)).then(|| self.lock_cgroups());
                match cgroups {
                    Some(None) => is_excluded = true,
                    cgroups if File::create_new(self.folder.join(name)).is_ok() => {
                        return Some(Claim { name: (*name).to_owned(), _cgroups: cgroups.flatten() });
                    }
                    // Another lab was faster.
                    _ => {}
                }
            }
            if !is_excluded {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The lock of the machine's cgroups, unless another lab holds it.
    fn lock_cgroups(&self) -> Option<File> {
        let file = File::create(self.folder.join("cgroups")).unwrap();
        match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(error)) => panic!("{error}"),
        }
    }
}

/// Runs these tests in several labs, and a selection without root beside them, if that is wanted. Exits with 1 when a test fails.
pub(crate) fn run_side_by_side(names: &[&str], with_rootless: bool) {
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let labs = std::env::var("ELENCHUS_TEST_LABS").ok().and_then(|labs| labs.parse().ok()).unwrap_or(LABS);
    let mut running: Vec<JoinHandle<bool>> = (1..=labs.clamp(1, names.len().max(1)))
        .map(|number| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(std::env::args_os().skip(1)).env(QUEUE, folder.path());
            run_lab(format!("lab {number}"), command)
        })
        .collect();
    let rootless = with_rootless.then(Rootless::new);
    match &rootless {
        Some(Ok(rootless)) => running.push(run_lab("without root".to_owned(), rootless.command(QUEUE))),
        Some(Err(why)) => println!("skipped: the tests without root: {why}"),
        None => {}
    }
    let passed = running.into_iter().map(|lab| lab.join().unwrap()).filter(|&passed| !passed).count() == 0;
    let left = names.iter().filter(|name| !folder.path().join(name).exists()).count();
    println!("{} tests, {left} not begun, {:.0} s", names.len(), began.elapsed().as_secs_f64());
    drop(rootless);
    folder.close().unwrap();
    if !passed {
        println!("tests failed");
        std::process::exit(1);
    }
}

/// Starts the process of a lab, whose output is passed on line by line. The result is whether its tests have passed or been skipped.
fn run_lab(name: String, mut command: Command) -> JoinHandle<bool> {
    std::thread::spawn(move || {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = child.stderr.take().map(|errors| pass_on(name.clone(), errors));
        let output = child.stdout.take().map(|output| pass_on(name, output));
        let is_complete = output.is_some_and(|output| output.join().unwrap());
        if let Some(errors) = errors {
            errors.join().unwrap();
        }
        child.wait().unwrap().success() && is_complete
    })
}

/// Prints the lines of a lab under its name. The result is whether its last word is that its tests have passed, or that it was skipped.
fn pass_on(name: String, from: impl Read + Send + 'static) -> JoinHandle<bool> {
    std::thread::spawn(move || {
        let mut last = String::new();
        for line in BufReader::new(from).split(b'\n') {
            last = String::from_utf8_lossy(&line.unwrap()).into_owned();
            println!("[{name}] {last}");
        }
        last == PASSED || last.starts_with("skipped: ")
    })
}
