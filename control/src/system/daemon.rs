//! Shell scripts that supervise one daemon on a node: start, stop, kill, pause, resume, and who is there.
//!
//! They are plain text made by pure functions, for POSIX `sh` as root, so that they can be read, journaled and tried by hand. A process belongs to the daemon
//! when it is in the session that was started for it, or when its command line matches the pattern. The pidfile holds the session leader's pid *and start
//! time*: a number that the kernel has since given to somebody else is never signalled.

use std::collections::BTreeMap;
use std::time::Duration;

use elenchus_core::Span;

use super::Stop;
use crate::command::quote;

/// Stands in every script, so that a script never takes itself, or another script, for a process whose command line matches.
const MARK: &str = "ELENCHUS_SUPERVISOR";

/// One daemon as it is to run on one node, everything rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Daemon {
    /// The system's name; names the pidfile and the log.
    pub name: String,
    /// The command line, in the foreground.
    pub command: String,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// The user it runs as, root when absent.
    pub user: Option<String>,
    /// Which other processes belong to it: a regular expression over command lines.
    pub pattern: Option<String>,
    /// Where the pidfile goes: a directory that does not survive a reboot.
    pub run_directory: String,
    /// Where what it prints goes.
    pub log_directory: String,
}

impl Daemon {
    /// The file with the leader's pid and start time.
    pub fn pidfile(&self) -> String {
        format!("{}/{}.pid", self.run_directory, self.name)
    }

    /// The file with what it prints.
    pub fn log(&self) -> String {
        format!("{}/{}.log", self.log_directory, self.name)
    }

    /// Starts it unless it runs, and returns as soon as it has its pidfile.
    pub fn start(&self) -> String {
        let exports: String = self.environment.iter().map(|(name, value)| format!("export {name}={}; ", quote(value))).collect();
        let become_user = match &self.user {
            Some(user) => format!("setpriv --reuid={user} --regid={user} --init-groups ", user = quote(user)),
            None => String::new(),
        };
        let pidfile = quote(&self.pidfile());
        // The leader writes its own identity before it becomes the daemon: neither its pid nor its start time change by exec. Where two lead, as when a starter
        // was killed and somebody started the daemon again, the first to write is the daemon; they take turns where the node has `flock`.
        let leader = format!(
            "{LOOK}exec 9<{run}; {LOCK}\n\
             if [ -r {pidfile} ] && read -r other since < {pidfile} && look \"$other\" && [ \"$born\" = \"$since\" ] && [ $state != X ]; then exit 0; fi\n\
             look $$; echo \"$$ $born\" > {pidfile}.new && mv {pidfile}.new {pidfile}\n\
             exec 9>&-; {exports}exec {become_user}/bin/sh -c {command}",
            run = quote(&self.run_directory),
            command = quote(&self.command)
        );
        // A shell has what it starts in the background mind neither INT nor QUIT, and who started it may have had it mind no HUP: which is for nobody to undo but
        // `env`, where that can.
        // What an ended daemon left is written over, not removed: it might be a new one's.
        let tail = format!(
            "before=$(cat {pidfile} 2>/dev/null)\n\
             if [ -n \"$(members)\" ]; then exit 0; fi\n\
             mkdir -p {run} {logs} || exit 1\n\
             default=; if env --default-signal true 2>/dev/null; then default='env --default-signal'; fi\n\
             $default setsid /bin/sh -c {leader} </dev/null >>{log} 2>&1 &\n\
             tries=0\n\
             while after=$(cat {pidfile} 2>/dev/null); [ -z \"$after\" ] || [ \"$after\" = \"$before\" ]; do\n\
             \x20 tries=$((tries + 1))\n\
             \x20 if [ $tries -gt 200 ]; then echo 'it was started, but left no pidfile' >&2; tail -n 5 {log} >&2; exit 1; fi\n\
             \x20 sleep 0.02\n\
             done\n",
            run = quote(&self.run_directory),
            logs = quote(&self.log_directory),
            leader = quote(&leader),
            log = quote(&self.log()),
        );
        self.script("start", &tail)
    }

    /// Prints `pid state` for each of its processes, nothing when it does not run.
    pub fn members(&self) -> String {
        self.script("list", "members\n")
    }

    /// Kills it with all its children, and prints whom. Succeeds when nothing was there.
    pub fn kill(&self) -> String {
        self.kill_by("KILL")
    }

    /// The same by another signal, named as `kill` takes it. Fails when something lives on for five seconds.
    pub fn kill_by(&self, signal: &str) -> String {
        let signal = format!("kill -{signal} $found");
        self.script("kill", &format!("members | cut -d' ' -f1\n{}", until_none("members", &signal, 250)))
    }

    /// Stops all its processes with SIGSTOP, and prints whom.
    pub fn pause(&self) -> String {
        let moving = "members | grep -v 'T$'";
        self.script("pause", &format!("members | cut -d' ' -f1\n{}", until_none(moving, "kill -STOP $found", 250)))
    }

    /// Lets all its processes go on, and prints whom.
    pub fn resume(&self) -> String {
        let stopped = "members | grep 'T$'";
        self.script("resume", &format!("members | cut -d' ' -f1\n{}", until_none(stopped, "kill -CONT $found", 250)))
    }

    /// Fails unless it runs, and goes on doing so: a signal that was sent to it while it was stopped or frozen ends it later.
    pub fn assert_running(&self) -> String {
        let tail = format!(
            "found=$(members | cut -d' ' -f1)\n\
             if [ -z \"$found\" ]; then echo 'it does not run' >&2; exit 1; fi\n\
             for pid in $found; do\n\
             \x20 pending=$(sed -n 's/^ShdPnd:[[:space:]]*........//p' /proc/$pid/status 2>/dev/null)\n\
             \x20 if [ $((0x${{pending:-0}} & {DEADLY})) -ne 0 ]; then echo \"$pid is about to end by a signal\" >&2; exit 1; fi\n\
             done\n"
        );
        self.script("is-running", &tail)
    }

    /// Fails while any process of it is there.
    pub fn assert_gone(&self) -> String {
        self.script("is-gone", "found=$(members)\nif [ -n \"$found\" ]; then echo 'it still runs:' $found >&2; exit 1; fi\n")
    }

    /// Fails unless it is there and every process of it is stopped.
    pub fn assert_paused(&self) -> String {
        let moving = "found=$(members | grep -v 'T$')\nif [ -n \"$found\" ]; then echo 'it still moves:' $found >&2; exit 1; fi\n";
        self.script("is-paused", &format!("if [ -z \"$(members)\" ]; then echo 'it does not run' >&2; exit 1; fi\n{moving}"))
    }

    /// Fails while any process of it is stopped. One that was killed meanwhile is not.
    pub fn assert_not_paused(&self) -> String {
        self.script(
            "is-not-paused",
            "found=$(members | grep 'T$')\nif [ -n \"$found\" ]; then echo 'it is still stopped:' $found >&2; exit 1; fi\n",
        )
    }

    /// Asks it to end, and kills it when it has not within the grace.
    pub fn stop(&self, stop: &Stop) -> String {
        let polls = stop.grace.0.as_millis() / 20;
        let ask = format!(
            "found=$(members | cut -d' ' -f1)\n\
             if [ -n \"$found\" ]; then\n\
             \x20 kill -{signal} $found 2>/dev/null; kill -CONT $found 2>/dev/null\n\
             \x20 tries=0\n\
             \x20 while [ -n \"$(members)\" ] && [ $tries -lt {polls} ]; do tries=$((tries + 1)); sleep 0.02; done\n\
             fi\n",
            signal = stop.signal,
        );
        // Not the pidfile of one that was started meanwhile.
        let forget = format!("( {LOCK}; [ -n \"$(members)\" ] || rm -f {} ) 9<{}\n", quote(&self.pidfile()), quote(&self.run_directory));
        self.script(
            "stop",
            &format!("{ask}{}[ ! -d {} ] || {forget}", until_none("members", "kill -KILL $found", 250), quote(&self.run_directory)),
        )
    }

    /// How long [`Daemon::stop`] may take at most.
    pub fn stop_limit(stop: &Stop) -> Span {
        Span(stop.grace.0.saturating_mul(3) + Duration::from_secs(30))
    }

    /// `verb` is the first line, which is what error messages show of a script.
    fn script(&self, verb: &str, tail: &str) -> String {
        let by_pattern = match &self.pattern {
            None => String::new(),
            Some(pattern) => format!(
                "  for pid in $(pgrep -f -- {pattern}); do\n\
                 \x20   look \"$pid\" || continue\n\
                 \x20   [ $state = X ] && continue\n\
                 \x20   if [ -n \"$leader\" ] && [ \"$session\" = \"$leader\" ]; then continue; fi\n\
                 \x20   if grep -aqs -e {MARK} -e {AGENT} -e {SWITCHES} \"/proc/$pid/cmdline\" || grep -qsx pgrep \"/proc/$pid/comm\"; then continue; fi\n\
                 \x20   echo \"$pid $state\"\n\
                 \x20 done\n",
                pattern = quote(pattern)
            ),
        };
        let (pidfile, name) = (quote(&self.pidfile()), quote(&self.name));
        format!(
            ": {MARK} {verb} {name}\n{LOOK}\
             members() {{\n\
             \x20 leader= since=\n\
             \x20 if [ -r {pidfile} ]; then read -r leader since < {pidfile}; fi\n\
             \x20 if [ -n \"$leader\" ] && look \"$leader\" && [ \"$born\" != \"$since\" ]; then leader=; fi\n\
             \x20 if [ -n \"$leader\" ]; then\n\
             \x20   for stat in /proc/[0-9]*/stat; do\n\
             \x20     pid=${{stat#/proc/}}; pid=${{pid%/stat}}\n\
             \x20     look \"$pid\" && [ \"$session\" = \"$leader\" ] || continue\n\
             \x20     [ $state = X ] || echo \"$pid $state\"\n\
             \x20   done\n\
             \x20 fi\n\
             {by_pattern}\
             \x20 :\n\
             }}\n{tail}"
        )
    }
}

/// What the paths of the nemesis' helper on nodes begin with; its orders name the system's files, and a pattern may match them. Not below `/run` and `/tmp`, from where many
/// nodes run no programs; nor where others than root could put something in its place.
pub const AGENT: &str = "/var/lib/elenchus/agent-";

/// Where the nemesis' switches on nodes are: the shells that watch them are run from there.
pub const SWITCHES: &str = "/run/elenchus/faults";

/// A function of shell, `look PID`, that reads what matters of `/proc/PID/stat` into `$state`, `$session` and `$born`, and fails where there is no such process. The command's name may hold spaces and brackets, so fields are counted from the last bracket. A process that has
/// ended is in the state `X`, whether somebody has waited for it or not. One whose first thread has ended has not, while others still hold its ports and files.
pub const LOOK: &str = "look() { line=; { read -r line < \"/proc/$1/stat\"; } 2>/dev/null || return 1; \
                        set -- ${line##*) }; state=$1 session=$4 born=${20}; \
                        case $state in Z) if [ ${18} -gt 1 ]; then state=S; else state=X; fi;; x) state=X;; esac; }\n";

/// The signals that end a process, as the lower half of a set in `/proc/<pid>/status`: HUP, INT, QUIT, ABRT, BUS, KILL, USR1, SEGV, USR2 and TERM.
const DEADLY: &str = "0x4f67";

/// Waits for the turn to write or remove a pidfile in the directory that is open as 9, where the node has `flock`. Nobody takes long, unless it is stopped.
const LOCK: &str = "flock -w 5 9 2>/dev/null";

/// Does `act` to what `list` finds until it finds nothing more: processes may fork in between.
fn until_none(list: &str, act: &str, polls: u32) -> String {
    format!(
        "tries=0\n\
         while :; do\n\
         \x20 found=$({list} | cut -d' ' -f1)\n\
         \x20 if [ -z \"$found\" ]; then break; fi\n\
         \x20 if [ $tries -ge {polls} ]; then echo \"had no effect on:\" $found >&2; exit 1; fi\n\
         \x20 {act} 2>/dev/null\n\
         \x20 tries=$((tries + 1)); sleep 0.02\n\
         done\n"
    )
}

/// One process of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number on the node.
    pub pid: u32,
    /// Its state as `/proc/<pid>/stat` says: `R`, `S`, `D`, `T` (stopped) …
    pub state: char,
}

impl Member {
    /// Reads what [`Daemon::members`] prints.
    pub fn parse(printed: &str) -> Vec<Member> {
        printed
            .lines()
            .filter_map(|line| {
                let (pid, state) = line.trim().split_once(' ')?;
                Some(Member { pid: pid.parse().ok()?, state: state.chars().next()? })
            })
            .collect()
    }

    /// Whether it is stopped by a signal.
    pub fn is_stopped(&self) -> bool {
        self.state == 'T'
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

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

    fn members(daemon: &Daemon) -> Vec<Member> {
        Member::parse(&sh(&daemon.members()))
    }

    #[test]
    fn starts_once_with_its_environment_and_log() {
        let fixture = fixture("echo \"$GREETING\"; sleep 600 & sleep 600");
        sh(&fixture.daemon.start());
        let first = sh("sleep 0.1") + &sh(&format!("cat {}", quote(&fixture.daemon.pidfile())));
        sh(&fixture.daemon.start());
        assert_eq!(first, sh(&format!("cat {}", quote(&fixture.daemon.pidfile()))));
        assert!(members(&fixture.daemon).len() >= 2, "the child belongs to it too");
        assert_eq!(std::fs::read_to_string(fixture.daemon.log()).unwrap(), "it's \"here\"\n");
    }

    #[test]
    fn of_many_starts_at_once_one_is_the_daemon() {
        let odd = format!("sleep 5{}.5", std::process::id());
        let fixture = fixture(&format!("exec {odd}"));
        for round in 0..10 {
            let mut starters: Vec<_> = (0..6).map(|_| Command::new("sh").arg("-c").arg(fixture.daemon.start()).spawn().unwrap()).collect();
            // One that is killed may leave a leader behind that has not written yet.
            starters[round % 6].kill().unwrap();
            for starter in &mut starters {
                starter.wait().unwrap();
            }
            sh("sleep 0.2");
            assert_eq!(sh(&format!("pgrep -xf '{odd}'")).lines().count(), 1, "round {round}");
            assert_eq!(members(&fixture.daemon).len(), 1);
            sh(&fixture.daemon.kill());
        }
    }

    #[test]
    fn kill_takes_the_children_even_when_the_leader_is_gone() {
        let fixture = fixture("sleep 600 & exit 0");
        sh(&fixture.daemon.start());
        sh("sleep 0.2");
        assert_eq!(members(&fixture.daemon).len(), 1);
        assert_eq!(sh(&fixture.daemon.kill()).lines().count(), 1);
        assert!(members(&fixture.daemon).is_empty());
        assert_eq!(sh(&fixture.daemon.kill()), "");
    }

    #[test]
    fn pause_and_resume_show_in_the_states() {
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
    fn what_ends_as_soon_as_it_may_does_not_run() {
        let fixture = fixture("exec sleep 600");
        sh(&fixture.daemon.start());
        sh(&fixture.daemon.assert_running());
        sh(&fixture.daemon.pause());
        sh(&fixture.daemon.assert_running());
        sh(&format!("read -r pid since < {} && kill -TERM $pid", quote(&fixture.daemon.pidfile())));
        let said = Command::new("sh").arg("-c").arg(fixture.daemon.assert_running()).output().unwrap();
        assert!(!said.status.success() && String::from_utf8_lossy(&said.stderr).contains("about to end"), "{said:?}");
        sh(&fixture.daemon.resume());
        while !members(&fixture.daemon).is_empty() {
            sh("sleep 0.02");
        }
        sh(&fixture.daemon.start());
        sh(&fixture.daemon.assert_running());
    }

    #[test]
    fn stop_asks_first_and_reaches_even_the_paused() {
        let fixture = fixture("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
        sh(&fixture.daemon.start());
        sh(&fixture.daemon.pause());
        sh(&fixture.daemon.stop(&Stop::default()));
        assert!(members(&fixture.daemon).is_empty());
        assert!(std::fs::read_to_string(fixture.daemon.log()).unwrap().contains("bye"));
        assert!(!std::path::Path::new(&fixture.daemon.pidfile()).exists());
    }

    #[test]
    fn a_reused_pid_is_left_alone() {
        let fixture = fixture("sleep 600");
        std::fs::create_dir_all(&fixture.daemon.run_directory).unwrap();
        std::fs::write(fixture.daemon.pidfile(), format!("{} 1\n", std::process::id())).unwrap();
        assert!(members(&fixture.daemon).is_empty());
    }

    #[test]
    fn the_pattern_finds_what_was_started_otherwise() {
        let mut fixture = fixture("sleep 600");
        let odd = format!("sleep 4{}.25", std::process::id());
        fixture.daemon.pattern = Some(odd.replace('.', "\\."));
        let mut other = Command::new("sh").arg("-c").arg(format!("exec {odd}")).spawn().unwrap();
        sh("sleep 0.2");
        let found = members(&fixture.daemon);
        assert_eq!(found.iter().map(|member| member.pid).collect::<Vec<_>>(), vec![other.id()]);
        sh(&fixture.daemon.kill());
        other.wait().unwrap();
    }
}
