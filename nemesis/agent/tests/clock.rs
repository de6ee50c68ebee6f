//! Clocks of real processes: busy ones with many threads, their children, and programs of other makers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use elenchus_agent::change::Change;
use elenchus_agent::clock::Clocks;
use elenchus_agent::skew::SECOND;

/// Whether this processor is known.
const HAS_CLOCKS: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// A process that says what time it is when it is asked.
struct Teller {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Teller {
    fn new(mut command: Command) -> Teller {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let mut teller = Teller { child, said };
        teller.ask("");
        teller
    }

    /// This test program, as `child_of_the_tests`.
    fn busy() -> Teller {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_of_the_tests", "--ignored", "--nocapture"]);
        Teller::new(command)
    }

    fn python() -> Option<Teller> {
        let script = "import sys, time\nfor line in sys.stdin:\n print('time=%d' % time.time_ns(), flush=True)\n";
        let mut command = Command::new("python3");
        command.args(["-c", script]);
        match Command::new("python3").arg("--version").output() {
            Ok(_) => Some(Teller::new(command)),
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
            assert!(self.said.read_line(&mut line).unwrap() > 0, "it has ended");
            // The test harness in the child says things of its own before.
            if let Some((_, time)) = line.trim_end().rsplit_once("time=") {
                return time.parse().unwrap();
            }
        }
    }

    /// By how much its clock is ahead.
    fn ahead(&mut self) -> i64 {
        let before = now();
        let shown = self.ask("");
        // It was asked before and answered after.
        shown - (before + now()) / 2
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What [`Teller::busy`] runs: tells the time by each way there is, while other threads ask for it all the time, and one is given signals.
#[test]
#[ignore = "it is a child of the other tests"]
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
            // By a child that is made by fork, and by one that becomes another program.
            "fork" => println!("time={}", forked()),
            _ => println!("time={}", now()),
        }
    }
}

/// The time as a shell's own child without `exec` tells it.
fn forked() -> i64 {
    // SAFETY: the child does nothing but ask for the time, write it to a pipe and end.
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

/// Where the injections of a test are, and nobody else's.
struct Scene {
    clocks: Clocks,
    _folder: tempfile::TempDir,
}

fn scene() -> Option<Scene> {
    if !HAS_CLOCKS {
        println!("skipped: the clocks of processes are set wrong on x86-64 and AArch64 only");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    Some(Scene { clocks: Clocks::in_folder(folder.path()), _folder: folder })
}

/// A script that says who the system's processes are.
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
    // Machines that run tests are slow; the changes are much larger than that.
    assert!((is - expected).abs() < 5 * SECOND, "{is} ns ahead, not {expected}");
}

#[test]
fn a_busy_program_and_its_children_are_struck_and_healed() {
    let Some(scene) = scene() else { return };
    let mut teller = Teller::busy();
    let whole = vdso(teller.pid());
    for (round, hours) in [(1, 24), (2, -24), (3, 24 * 365)] {
        let by = hours * 3600 * SECOND;
        let struck = scene.clocks.begin(round, &members(&[teller.pid()]), Change::Bump(by)).unwrap();
        assert_eq!(struck, [teller.pid() as i32]);
        scene.clocks.verify(round).unwrap();
        assert_ne!(vdso(teller.pid()), whole);
        near(teller.ahead(), by);
        near(teller.ask("fork") - now(), by);
        let readings = scene.clocks.readings().unwrap();
        assert!(readings.contains(&(teller.pid() as i32, by)), "{readings:?}");
        assert!(scene.clocks.verify_ended(round).is_err());
        scene.clocks.end(round).unwrap();
        scene.clocks.verify_ended(round).unwrap();
        assert!(scene.clocks.verify(round).is_err());
        assert_eq!(vdso(teller.pid()), whole, "byte for byte");
        near(teller.ahead(), 0);
    }
}

/// A cgroup of version 2 of its own; what is in it can be frozen.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new() -> Option<Cgroup> {
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        let mut mounted = mounts.lines().filter_map(|line| line.split(' ').nth(1).filter(|_| line.contains(" cgroup2 ")));
        let made = mounted.next().map(|tree| Path::new(tree).join(format!("elenchus-test-{}", std::process::id())));
        match made.filter(|path| std::fs::create_dir(path).is_ok()) {
            Some(path) => Some(Cgroup(path)),
            None => {
                println!("skipped: there is no cgroup file system of version 2 that may be changed");
                None
            }
        }
    }

    fn freeze(&self, is: bool) {
        self.write("cgroup.freeze", &u8::from(is).to_string());
        while !std::fs::read_to_string(self.0.join("cgroup.events")).unwrap().contains(&format!("frozen {}", u8::from(is))) {
            std::thread::yield_now();
        }
    }

    fn write(&self, file: &str, what: &str) {
        std::fs::write(self.0.join(file), what).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whoever was in it has ended.
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_frozen_process_survives_that_it_cannot_be_struck_or_healed() {
    let (Some(scene), Some(cgroup)) = (scene(), Cgroup::new()) else { return };
    let mut teller = Teller::busy();
    let (whole, pid) = (vdso(teller.pid()), teller.pid());
    cgroup.write("cgroup.procs", &pid.to_string());
    cgroup.freeze(true);
    let refused = scene.clocks.begin(1, &members(&[pid]), Change::Bump(3600 * SECOND)).unwrap_err();
    assert!(refused.contains("frozen"), "{refused}");
    cgroup.freeze(false);
    near(teller.ahead(), 0);
    // Only a thread that is in what is to be changed must run to get out of it.
    let was_refused = (0..100).any(|_| {
        scene.clocks.begin(2, &members(&[pid]), Change::Bump(3600 * SECOND)).unwrap();
        near(teller.ahead(), 3600 * SECOND);
        cgroup.freeze(true);
        let refused = scene.clocks.end(2).is_err();
        cgroup.freeze(false);
        near(teller.ahead(), if refused { 3600 * SECOND } else { 0 });
        refused
    });
    assert!(was_refused, "it was never frozen where it matters");
    scene.clocks.end(2).unwrap();
    scene.clocks.end(1).unwrap();
    assert_eq!(vdso(pid), whole);
    near(teller.ahead(), 0);
    drop(teller);
}

#[test]
fn many_times_over_does_no_harm() {
    let Some(scene) = scene() else { return };
    let mut teller = Teller::busy();
    let mapped = |teller: &Teller| std::fs::read_to_string(format!("/proc/{}/maps", teller.pid())).unwrap().lines().count();
    scene.clocks.begin(1, &members(&[teller.pid()]), Change::Freeze).unwrap();
    scene.clocks.end(1).unwrap();
    let before = mapped(&teller);
    for round in 0..20 {
        scene.clocks.begin(round, &members(&[teller.pid()]), Change::Bump(86400 * SECOND)).unwrap();
        scene.clocks.end(round).unwrap();
    }
    near(teller.ahead(), 0);
    // What its own threads map comes and goes; what is ours is used again.
    assert!(mapped(&teller) < before + 50, "{before} maps became {}", mapped(&teller));
}

#[test]
fn every_change_shows() {
    let Some(scene) = scene() else { return };
    let Some(mut teller) = Teller::python() else { return };
    let mut during = |change: Change, look: &mut dyn FnMut(&mut Teller)| {
        scene.clocks.begin(1, &members(&[teller.pid()]), change).unwrap();
        scene.clocks.verify(1).unwrap();
        look(&mut teller);
        scene.clocks.end(1).unwrap();
        near(teller.ahead(), 0);
    };
    during(Change::Freeze, &mut |teller| {
        let first = teller.ask("");
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(teller.ask(""), first);
    });
    during(Change::Drift(1000.0), &mut |teller| {
        let (began, first) = (Instant::now(), teller.ask(""));
        std::thread::sleep(Duration::from_millis(100));
        let gained = teller.ask("") - first;
        assert!(gained > 100 * SECOND && i128::from(gained) < 1002 * i128::try_from(began.elapsed().as_nanos()).unwrap(), "{gained}");
    });
    during(Change::Jump(946_684_800 * SECOND), &mut |teller| near(teller.ask(""), 946_684_800 * SECOND));
    during(Change::Strobe { by: 86400 * SECOND, every: 3_000_000 }, &mut |teller| {
        // Over some dozens of steps, however fast it answers.
        let ask = |_| {
            std::thread::sleep(Duration::from_micros(500));
            teller.ahead()
        };
        let ahead: Vec<i64> = (0..200).map(ask).collect();
        let far = ahead.iter().filter(|&&ahead| ahead > 43200 * SECOND).count();
        assert!(far > 10 && far < 190, "{far} of 200");
        ahead.into_iter().for_each(|ahead| near(ahead, if ahead > 43200 * SECOND { 86400 * SECOND } else { 0 }));
    });
    during(Change::Leap { inserted: true }, &mut |teller| {
        let began = Instant::now();
        while teller.ask("") / SECOND % 86400 > 43200 {
            assert!(began.elapsed() < Duration::from_secs(60), "the new day never begins");
            std::thread::sleep(Duration::from_millis(20));
        }
        // It has stepped, and is asked once more.
        scene.clocks.verify(1).unwrap();
    });
}

#[test]
fn who_comes_later_is_struck_too() {
    let Some(scene) = scene() else { return };
    let mut first = Teller::busy();
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), first.pid().to_string()).unwrap();
    let script = format!("for pid in $(cat {}); do echo $pid S; done", list.path().display());
    scene.clocks.begin(7, &script, Change::Bump(3600 * SECOND)).unwrap();
    std::thread::scope(|scope| {
        let clocks = scene.clocks.clone();
        // A keeper that strikes by itself, as none of these waits in the kernel.
        let keeping = scope.spawn(move || {
            let striker = clocks.clone();
            clocks.keep(7, || {
                striker.strike(7).unwrap();
                Command::new("true")
            })
        });
        let mut second = Teller::busy();
        std::fs::write(list.path(), format!("{} {}", first.pid(), second.pid())).unwrap();
        let began = Instant::now();
        while second.ahead() < 1800 * SECOND {
            assert!(began.elapsed() < Duration::from_secs(30), "it was never struck");
            std::thread::sleep(Duration::from_millis(20));
        }
        scene.clocks.end(7).unwrap();
        keeping.join().unwrap().unwrap();
        near(first.ahead(), 0);
        near(second.ahead(), 0);
    });
}

#[test]
fn the_stopped_are_struck_and_stay_stopped() {
    let Some(scene) = scene() else { return };
    let mut teller = Teller::busy();
    let signal = |signal: &str| assert!(Command::new("kill").args([signal, &teller.pid().to_string()]).status().unwrap().success());
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", teller.pid())).unwrap().rsplit_once(") ").unwrap().1[..1].to_owned();
    let await_state = |expected: &str| {
        let began = Instant::now();
        while state() != expected {
            assert!(began.elapsed() < Duration::from_secs(10), "it is {}", state());
        }
    };
    signal("-STOP");
    await_state("T");
    scene.clocks.begin(1, &members(&[teller.pid()]), Change::Bump(3600 * SECOND)).unwrap();
    scene.clocks.verify(1).unwrap();
    await_state("T");
    signal("-CONT");
    near(teller.ahead(), 3600 * SECOND);
    scene.clocks.end(1).unwrap();
    near(teller.ahead(), 0);
}

#[test]
fn nobody_is_missed() {
    let Some(scene) = scene() else { return };
    let gone = {
        let teller = Teller::busy();
        teller.pid()
    };
    assert_eq!(scene.clocks.begin(1, &members(&[]), Change::Freeze), Ok(Vec::new()));
    assert!(scene.clocks.verify(1).unwrap_err().contains("does not run"));
    scene.clocks.begin(1, &members(&[gone]), Change::Freeze).unwrap();
    scene.clocks.end(1).unwrap();
    scene.clocks.end(1).unwrap();
    assert_eq!(scene.clocks.strike(1), Ok(Vec::new()), "nobody is struck after the end");
}

#[test]
fn a_trial_tells_whether_it_works_here() {
    let tried = Command::new(Path::new(env!("CARGO_BIN_EXE_elenchus-agent"))).args(["clock", "trial"]).output().unwrap();
    let said = String::from_utf8_lossy(&tried.stderr);
    assert_eq!(tried.status.success(), HAS_CLOCKS, "{said}");
}
