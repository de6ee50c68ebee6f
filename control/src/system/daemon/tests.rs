use std::process::Command;
use std::time::{Duration, Instant};

use super::*;

fn sh(script: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(script).output().expect("sh runs");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

struct Fixture {
    daemon: Daemon,
    _directory: tempfile::TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        sh(&self.daemon.kill());
    }
}

fn fixture(command: &str) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let daemon = Daemon {
        name: "it's".into(),
        command: command.into(),
        run_directory: format!("{path}/run"),
        log_directory: format!("{path}/log"),
        environment: BTreeMap::from([("GREETING".into(), "it's \"here\"".into())]),
        ..Daemon::default()
    };
    Fixture { daemon, _directory: directory }
}

fn has_pgrep() -> bool {
    let found = Command::new("pgrep").arg("--version").output().is_ok();
    if !found {
        println!("skipped: pgrep is not installed (package procps)");
    }
    found
}

/// Waits until the condition holds.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn members(daemon: &Daemon) -> Vec<Member> {
    Member::parse(&sh(&daemon.members()))
}

#[test]
fn starts_once_with_its_environment_and_log() {
    let fixture = fixture("echo \"$GREETING\"; sleep 600 & sleep 600");
    sh(&fixture.daemon.start());
    eventually("the child is started", || members(&fixture.daemon).len() >= 2);
    let first = sh(&format!("cat {}", quote(&fixture.daemon.pidfile())));
    sh(&fixture.daemon.start());
    assert_eq!(first, sh(&format!("cat {}", quote(&fixture.daemon.pidfile()))));
    assert!(members(&fixture.daemon).len() >= 2, "the child belongs to it too");
    assert_eq!(std::fs::read_to_string(fixture.daemon.log()).unwrap(), "it's \"here\"\n");
}

#[test]
fn concurrent_starts_give_one_daemon() {
    if !has_pgrep() {
        return;
    }
    let odd = format!("sleep 5{}.5", std::process::id());
    let fixture = fixture(&format!("exec {odd}"));
    for round in 0..10 {
        let mut starters: Vec<_> = (0..6).map(|_| Command::new("sh").arg("-c").arg(fixture.daemon.start()).spawn().unwrap()).collect();
        starters[round % 6].kill().unwrap();
        for starter in &mut starters {
            starter.wait().unwrap();
        }
        // A killed start may leave a session leader behind that has not written its pidfile yet.
        let is_starting = || Command::new("pgrep").args(["-f", &fixture.daemon.run_directory]).output().unwrap().status.success();
        eventually("no leader is starting", || !is_starting());
        assert_eq!(sh(&format!("pgrep -xf '{odd}'")).lines().count(), 1, "round {round}");
        assert_eq!(members(&fixture.daemon).len(), 1);
        sh(&fixture.daemon.kill());
    }
}

#[test]
fn kill_reaches_the_children_after_the_leader_has_exited() {
    let fixture = fixture("sleep 600 & exit 0");
    sh(&fixture.daemon.start());
    let pidfile = std::fs::read_to_string(fixture.daemon.pidfile()).unwrap();
    let leader: u32 = pidfile.split(' ').next().unwrap().parse().unwrap();
    let only_child = |found: &[Member]| found.len() == 1 && found[0].pid != leader;
    eventually("the leader has exited", || only_child(&members(&fixture.daemon)));
    assert_eq!(sh(&fixture.daemon.kill()).lines().count(), 1);
    assert!(members(&fixture.daemon).is_empty());
    assert_eq!(sh(&fixture.daemon.kill()), "");
}

#[test]
fn pause_and_resume_change_the_states() {
    let fixture = fixture("sleep 600 & sleep 600 & wait");
    sh(&fixture.daemon.start());
    sh(&fixture.daemon.pause());
    let paused = members(&fixture.daemon);
    assert!(!paused.is_empty() && paused.iter().all(Member::is_stopped), "{paused:?}");
    sh(&fixture.daemon.assert_paused());
    sh(&fixture.daemon.resume());
    sh(&fixture.daemon.assert_not_paused());
    assert!(!members(&fixture.daemon).iter().any(Member::is_stopped));
}

#[test]
fn a_process_with_a_pending_fatal_signal_is_not_running() {
    let fixture = fixture("exec sleep 600");
    sh(&fixture.daemon.start());
    sh(&fixture.daemon.assert_running());
    sh(&fixture.daemon.pause());
    sh(&fixture.daemon.assert_running());
    sh(&format!("read -r pid since < {} && kill -TERM $pid", quote(&fixture.daemon.pidfile())));
    let output = Command::new("sh").arg("-c").arg(fixture.daemon.assert_running()).output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("has a fatal signal pending"), "{output:?}");
    sh(&fixture.daemon.resume());
    eventually("the signal has killed it", || members(&fixture.daemon).is_empty());
    sh(&fixture.daemon.start());
    sh(&fixture.daemon.assert_running());
}

#[test]
fn stop_sends_the_signal_first_and_reaches_paused_processes() {
    let fixture = fixture("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
    sh(&fixture.daemon.start());
    sh(&fixture.daemon.pause());
    sh(&fixture.daemon.stop(&Stop::default()));
    assert!(members(&fixture.daemon).is_empty());
    assert!(std::fs::read_to_string(fixture.daemon.log()).unwrap().contains("bye"));
    assert!(!std::path::Path::new(&fixture.daemon.pidfile()).exists());
}

#[test]
fn a_reused_pid_is_not_signalled() {
    let fixture = fixture("sleep 600");
    std::fs::create_dir_all(&fixture.daemon.run_directory).unwrap();
    std::fs::write(fixture.daemon.pidfile(), format!("{} 1\n", std::process::id())).unwrap();
    assert!(members(&fixture.daemon).is_empty());
}

#[test]
fn the_pattern_finds_processes_outside_the_session() {
    if !has_pgrep() {
        return;
    }
    let mut fixture = fixture("sleep 600");
    let odd = format!("sleep 4{}.25", std::process::id());
    fixture.daemon.pattern = Some(odd.replace('.', "\\."));
    let mut other = Command::new("sh").arg("-c").arg(format!("exec {odd}")).spawn().unwrap();
    let found = members(&fixture.daemon);
    assert_eq!(found.iter().map(|member| member.pid).collect::<Vec<_>>(), vec![other.id()]);
    sh(&fixture.daemon.kill());
    other.wait().unwrap();
}
