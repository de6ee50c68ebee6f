//! The clocks of real processes: busy ones with many threads, forked children, and Python.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use elenchus_agent::change::ClockChange;
use elenchus_agent::clock::Clocks;
use elenchus_agent::skew::SECOND;

/// Whether this processor is supported.
const HAS_CLOCKS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// A process that prints the time on request.
struct TimeServer {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl TimeServer {
    fn new(mut command: Command) -> TimeServer {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = TimeServer { child, output };
        server.ask("");
        server
    }

    /// This test program, as `child_of_the_tests`.
    fn busy() -> TimeServer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_of_the_tests", "--ignored", "--nocapture"]);
        TimeServer::new(command)
    }

    fn python() -> Option<TimeServer> {
        let script = "import sys, time\nfor line in sys.stdin:\n print('time=%d' % time.time_ns(), flush=True)\n";
        let mut command = Command::new("python3");
        command.args(["-c", script]);
        match Command::new("python3").arg("--version").output() {
            Ok(_) => Some(TimeServer::new(command)),
            Err(_) => {
                println!("skipped: python3 is not installed");
                None
            }
        }
    }

    fn ask(&mut self, what: &str) -> i64 {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it has exited");
            // The test harness in the child prints lines of its own.
            if let Some((_, time)) = line.trim_end().rsplit_once("time=") {
                return time.parse().unwrap();
            }
        }
    }

    /// The offset of its clock.
    fn ahead(&mut self) -> i64 {
        let before = now();
        let shown = self.ask("");
        shown - (before + now()) / 2
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of [`TimeServer::busy`]: prints the time while other threads read the clock in a loop.
#[test]
#[ignore = "it is run by the other tests"]
fn child_of_the_tests() {
    for _ in 0..2 {
        std::thread::spawn(|| {
            loop {
                let mut map = BTreeMap::new();
                for _ in 0..100 {
                    let both = (Instant::now(), SystemTime::now());
                    map.insert(both.0, both.1);
                }
                assert!(!map.is_empty());
            }
        });
    }
    for line in std::io::stdin().lines() {
        match line.unwrap().as_str() {
            "fork" => println!("time={}", forked()),
            _ => println!("time={}", now()),
        }
    }
}

/// The time that a forked child without `exec` reads.
fn forked() -> i64 {
    // SAFETY: the child only makes async-signal-safe calls before it exits.
    #[allow(unsafe_code)]
    unsafe {
        let mut ends = [0; 2];
        assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
        let child = libc::fork();
        if child == 0 {
            let mut time = std::mem::zeroed::<libc::timespec>();
            libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time);
            let nanos = time.tv_sec * SECOND + time.tv_nsec;
            libc::write(ends[1], (&raw const nanos).cast(), 8);
            libc::_exit(0);
        }
        let mut nanos = 0i64;
        assert_eq!(libc::read(ends[0], (&raw mut nanos).cast(), 8), 8);
        libc::waitpid(child, std::ptr::null_mut(), 0);
        libc::close(ends[0]);
        libc::close(ends[1]);
        nanos
    }
}

/// The injections of one test.
struct Scene {
    clocks: Clocks,
    _folder: tempfile::TempDir,
}

fn scene() -> Option<Scene> {
    if !HAS_CLOCKS {
        println!("skipped: the clocks of processes can be changed on x86-64 and AArch64 only");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    Some(Scene { clocks: Clocks::in_folder(folder.path()), _folder: folder })
}

/// A script that prints the PIDs of the system's processes.
fn members(pids: &[u32]) -> String {
    pids.iter().map(|pid| format!("echo {pid} S\n")).collect()
}

/// The bytes of a process' vDSO.
fn vdso(pid: u32) -> Vec<u8> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
    let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
    let number = |hex| u64::from_str_radix(hex, 16).unwrap();
    let mut bytes = vec![0; (number(end) - number(start)) as usize];
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, number(start)).unwrap();
    bytes
}

fn near(is: i64, expected: i64) {
    // Test machines can be slow; all changes are much larger than this tolerance.
    assert!((is - expected).abs() < 5 * SECOND, "{is} ns ahead, expected {expected}");
}

#[test]
fn a_busy_program_and_its_children_are_patched_and_restored() {
    let Some(scene) = scene() else { return };
    let mut server = TimeServer::busy();
    let original = vdso(server.pid());
    for (round, hours) in [(1, 24), (2, -24), (3, 24 * 365)] {
        let by = hours * 3600 * SECOND;
        let patched = scene.clocks.begin(round, &members(&[server.pid()]), ClockChange::Bump(by)).unwrap();
        assert_eq!(patched, [server.pid() as i32]);
        scene.clocks.verify(round).unwrap();
        assert_ne!(vdso(server.pid()), original);
        near(server.ahead(), by);
        near(server.ask("fork") - now(), by);
        let readings = scene.clocks.readings().unwrap();
        assert!(readings.contains(&(server.pid() as i32, by)), "{readings:?}");
        assert!(scene.clocks.verify_ended(round).is_err());
        scene.clocks.end(round).unwrap();
        scene.clocks.verify_ended(round).unwrap();
        assert!(scene.clocks.verify(round).is_err());
        assert_eq!(vdso(server.pid()), original, "every byte is restored");
        near(server.ahead(), 0);
    }
}

/// A new cgroup (version 2), whose processes can be frozen.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Option<Cgroup> {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut mounted = mounts.lines().filter_map(|line| line.split(' ').nth(1).filter(|_| line.contains(" cgroup2 ")));
        let made = mounted.next().map(|tree| Path::new(tree).join(format!("elenchus-test-{}", std::process::id())));
        match made.filter(|path| std::fs::create_dir(path).is_ok()) {
            Some(path) => Some(Cgroup(path)),
            None => {
                println!("skipped: no writable cgroup file system of version 2 (run as root)");
                None
            }
        }
    }

    fn freeze(&self, is_frozen: bool) {
        self.write("cgroup.freeze", &u8::from(is_frozen).to_string());
        while !std::fs::read_to_string(self.0.join("cgroup.events")).unwrap().contains(&format!("frozen {}", u8::from(is_frozen))) {
            std::thread::yield_now();
        }
    }

    fn write(&self, file: &str, what: &str) {
        std::fs::write(self.0.join(file), what).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_frozen_process_is_refused_and_survives() {
    let (Some(scene), Some(cgroup)) = (scene(), Cgroup::new()) else { return };
    let mut server = TimeServer::busy();
    let (original, pid) = (vdso(server.pid()), server.pid());
    cgroup.write("cgroup.procs", &pid.to_string());
    cgroup.freeze(true);
    let refused = scene.clocks.begin(1, &members(&[pid]), ClockChange::Bump(3600 * SECOND)).unwrap_err();
    assert!(refused.contains("frozen"), "{refused}");
    cgroup.freeze(false);
    near(server.ahead(), 0);
    // Restoring fails only if a thread was frozen inside the code to be restored.
    let was_refused = (0..100).any(|_| {
        scene.clocks.begin(2, &members(&[pid]), ClockChange::Bump(3600 * SECOND)).unwrap();
        near(server.ahead(), 3600 * SECOND);
        cgroup.freeze(true);
        let refused = scene.clocks.end(2).is_err();
        cgroup.freeze(false);
        near(server.ahead(), if refused { 3600 * SECOND } else { 0 });
        refused
    });
    assert!(was_refused, "no thread was ever frozen in the patched code");
    scene.clocks.end(2).unwrap();
    scene.clocks.end(1).unwrap();
    assert_eq!(vdso(pid), original);
    near(server.ahead(), 0);
    drop(server);
}

#[test]
fn repeated_injections_reuse_the_mapped_code() {
    let Some(scene) = scene() else { return };
    let mut server = TimeServer::busy();
    let mapped = |server: &TimeServer| std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).unwrap().lines().count();
    scene.clocks.begin(1, &members(&[server.pid()]), ClockChange::Freeze).unwrap();
    scene.clocks.end(1).unwrap();
    let before = mapped(&server);
    for round in 0..20 {
        scene.clocks.begin(round, &members(&[server.pid()]), ClockChange::Bump(86400 * SECOND)).unwrap();
        scene.clocks.end(round).unwrap();
    }
    near(server.ahead(), 0);
    // The process' threads add and remove mappings; the page of our code is reused.
    assert!(mapped(&server) < before + 50, "{before} mappings became {}", mapped(&server));
}

#[test]
fn every_change_is_visible() {
    let Some(scene) = scene() else { return };
    let Some(mut server) = TimeServer::python() else { return };
    let mut during = |change: ClockChange, inspect: &mut dyn FnMut(&mut TimeServer)| {
        scene.clocks.begin(1, &members(&[server.pid()]), change).unwrap();
        scene.clocks.verify(1).unwrap();
        inspect(&mut server);
        scene.clocks.end(1).unwrap();
        near(server.ahead(), 0);
    };
    during(ClockChange::Freeze, &mut |server| {
        let first = server.ask("");
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(server.ask(""), first);
    });
    during(ClockChange::Drift(1000.0), &mut |server| {
        let (began, first) = (Instant::now(), server.ask(""));
        std::thread::sleep(Duration::from_millis(100));
        let gained = server.ask("") - first;
        assert!(gained > 100 * SECOND && i128::from(gained) < 1002 * i128::try_from(began.elapsed().as_nanos()).unwrap(), "{gained}");
    });
    during(ClockChange::Jump(946_684_800 * SECOND), &mut |server| near(server.ask(""), 946_684_800 * SECOND));
    during(ClockChange::Strobe { by: 86400 * SECOND, every: 3_000_000 }, &mut |server| {
        // Over some dozens of steps, however fast it answers.
        let ask = |_| {
            std::thread::sleep(Duration::from_micros(500));
            server.ahead()
        };
        let ahead: Vec<i64> = (0..200).map(ask).collect();
        let far = ahead.iter().filter(|&&ahead| ahead > 43200 * SECOND).count();
        assert!(far > 10 && far < 190, "{far} of 200");
        ahead.into_iter().for_each(|ahead| near(ahead, if ahead > 43200 * SECOND { 86400 * SECOND } else { 0 }));
    });
    during(ClockChange::Leap { inserted: true }, &mut |server| {
        let began = Instant::now();
        while server.ask("") / SECOND % 86400 > 43200 {
            assert!(began.elapsed() < Duration::from_secs(60), "midnight was never reached");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Verification must accept the clock after the step too.
        scene.clocks.verify(1).unwrap();
    });
}

#[test]
fn a_process_started_later_is_patched_too() {
    let Some(scene) = scene() else { return };
    let mut first = TimeServer::busy();
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), first.pid().to_string()).unwrap();
    let script = format!("for pid in $(cat {}); do echo $pid S; done", list.path().display());
    scene.clocks.begin(7, &script, ClockChange::Bump(3600 * SECOND)).unwrap();
    std::thread::scope(|scope| {
        let clocks = scene.clocks.clone();
        // This keeper patches in its own process, which is safe as no thread is in an uninterruptible wait.
        let keeping = scope.spawn(move || {
            let patcher = clocks.clone();
            clocks.keep(7, || {
                patcher.apply(7).unwrap();
                Command::new("true")
            })
        });
        let mut second = TimeServer::busy();
        std::fs::write(list.path(), format!("{} {}", first.pid(), second.pid())).unwrap();
        let began = Instant::now();
        while second.ahead() < 1800 * SECOND {
            assert!(began.elapsed() < Duration::from_secs(30), "it was never patched");
            std::thread::sleep(Duration::from_millis(20));
        }
        scene.clocks.end(7).unwrap();
        keeping.join().unwrap().unwrap();
        near(first.ahead(), 0);
        near(second.ahead(), 0);
    });
}

#[test]
fn stopped_processes_are_patched_and_stay_stopped() {
    let Some(scene) = scene() else { return };
    let mut server = TimeServer::busy();
    let signal = |signal: &str| assert!(Command::new("kill").args([signal, &server.pid().to_string()]).status().unwrap().success());
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap().rsplit_once(") ").unwrap().1[..1].to_owned();
    let await_state = |expected: &str| {
        let began = Instant::now();
        while state() != expected {
            assert!(began.elapsed() < Duration::from_secs(10), "its state is {}", state());
        }
    };
    signal("-STOP");
    await_state("T");
    scene.clocks.begin(1, &members(&[server.pid()]), ClockChange::Bump(3600 * SECOND)).unwrap();
    scene.clocks.verify(1).unwrap();
    await_state("T");
    signal("-CONT");
    near(server.ahead(), 3600 * SECOND);
    scene.clocks.end(1).unwrap();
    near(server.ahead(), 0);
}

#[test]
fn missing_processes_are_tolerated() {
    let Some(scene) = scene() else { return };
    let gone = {
        let server = TimeServer::busy();
        server.pid()
    };
    assert_eq!(scene.clocks.begin(1, &members(&[]), ClockChange::Freeze), Ok(Vec::new()));
    assert!(scene.clocks.verify(1).unwrap_err().contains("no process of the system is running"));
    scene.clocks.begin(1, &members(&[gone]), ClockChange::Freeze).unwrap();
    scene.clocks.end(1).unwrap();
    scene.clocks.end(1).unwrap();
    assert_eq!(scene.clocks.apply(1), Ok(Vec::new()), "no process is patched after the end");
}

#[test]
fn the_trial_succeeds_on_supported_processors() {
    let tried = Command::new(Path::new(env!("CARGO_BIN_EXE_elenchus-agent"))).args(["clock", "trial"]).output().unwrap();
    let said = String::from_utf8_lossy(&tried.stderr);
    assert_eq!(tried.status.success(), HAS_CLOCKS, "{said}");
}
