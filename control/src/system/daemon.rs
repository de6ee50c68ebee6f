//! Shell scripts that supervise one daemon on a node: start, stop, kill, pause, resume, and list its processes.
//!
//! Pure functions return them as text for POSIX `sh` as root, so that they can be read, stored and run by hand. A process belongs to the daemon if it is in the
//! session that was started for it, or if its command line matches the pattern. The pidfile contains the session leader's pid *and start time*, so that a
//! reused pid is never signalled.

mod script;

use std::collections::BTreeMap;
use std::time::Duration;

use elenchus_core::Span;

use super::Stop;
use crate::command::quote;
pub use script::{AGENT, DEAD_MANS_SWITCHES, READ_PROC_STAT};
use script::{DEADLY, LOCK, until_none, with_members};

/// The process of a system on one node, with all templates rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Daemon {
    /// The system's name; the base name of pidfile and log.
    pub name: String,
    /// The command line, which stays in the foreground.
    pub command: String,
    /// Its environment variables.
    pub environment: BTreeMap<String, String>,
    /// The user it runs as; root by default.
    pub user: Option<String>,
    /// A regular expression over command lines of other processes that belong to it.
    pub pattern: Option<String>,
    /// The directory of the pidfile. It must not survive a reboot.
    pub run_directory: String,
    /// The directory of its output.
    pub log_directory: String,
}

impl Daemon {
    /// The path of the file with the session leader's pid and start time.
    pub fn pidfile(&self) -> String {
        format!("{}/{}.pid", self.run_directory, self.name)
    }

    /// The path of the file with its output.
    pub fn log(&self) -> String {
        format!("{}/{}.log", self.log_directory, self.name)
    }

    /// Starts it unless it runs, and waits for its pidfile.
    pub fn start(&self) -> String {
        let exports: String = self.environment.iter().map(|(name, value)| format!("export {name}={}; ", quote(value))).collect();
        let become_user = match &self.user {
            Some(user) => format!("setpriv --reuid={user} --regid={user} --init-groups ", user = quote(user)),
            None => String::new(),
        };
        let pidfile = quote(&self.pidfile());
        // The session leader writes its pid and start time before it executes the daemon: exec changes neither. There can be two leaders, for example when a start
        // was killed and repeated: the first to write is the daemon. Where the node has `flock`, they write one at a time.
        let leader = format!(
            "{READ_PROC_STAT}exec 9<{run}; {LOCK}\n\
             if [ -r {pidfile} ] && read -r other since < {pidfile} && look \"$other\" && [ \"$born\" = \"$since\" ] && [ $state != X ]; then exit 0; fi\n\
             look $$; echo \"$$ $born\" > {pidfile}.new && mv {pidfile}.new {pidfile}\n\
             exec 9>&-; {exports}exec {become_user}/bin/sh -c {command}",
            run = quote(&self.run_directory),
            command = quote(&self.command)
        );
        // A shell ignores INT and QUIT in background commands, and may itself have been started with HUP ignored. Only `env` can restore the defaults, where it has
        // that option. An old pidfile is overwritten, not removed: meanwhile it may be that of a new daemon.
        let tail = format!(
            "before=$(cat {pidfile} 2>/dev/null)\n\
             if [ -n \"$(members)\" ]; then exit 0; fi\n\
             mkdir -p {run} {logs} || exit 1\n\
             default=; if env --default-signal true 2>/dev/null; then default='env --default-signal'; fi\n\
             $default setsid /bin/sh -c {leader} </dev/null >>{log} 2>&1 &\n\
             tries=0\n\
             while after=$(cat {pidfile} 2>/dev/null); [ -z \"$after\" ] || [ \"$after\" = \"$before\" ]; do\n\
             \x20 tries=$((tries + 1))\n\
             \x20 if [ $tries -gt 200 ]; then echo 'it was started, but wrote no pidfile' >&2; tail -n 5 {log} >&2; exit 1; fi\n\
             \x20 sleep 0.02\n\
             done\n",
            run = quote(&self.run_directory),
            logs = quote(&self.log_directory),
            leader = quote(&leader),
            log = quote(&self.log()),
        );
        self.script("start", &tail)
    }

    /// Prints `pid state` for each of its processes.
    pub fn members(&self) -> String {
        self.script("list", "members\n")
    }

    /// Kills all its processes by SIGKILL, and prints their pids. Succeeds when there are none.
    pub fn kill(&self) -> String {
        self.kill_by("KILL")
    }

    /// Kills all its processes by the given signal, without `SIG`. Fails when one still runs after five seconds.
    pub fn kill_by(&self, signal: &str) -> String {
        let signal = format!("kill -{signal} $found");
        self.script("kill", &format!("members | cut -d' ' -f1\n{}", until_none("members", &signal, 250)))
    }

    /// Stops all its processes with SIGSTOP, and prints their pids.
    pub fn pause(&self) -> String {
        let not_stopped = "members | grep -v 'T$'";
        self.script("pause", &format!("members | cut -d' ' -f1\n{}", until_none(not_stopped, "kill -STOP $found", 250)))
    }

    /// Continues all its processes with SIGCONT, and prints their pids.
    pub fn resume(&self) -> String {
        let stopped = "members | grep 'T$'";
        self.script("resume", &format!("members | cut -d' ' -f1\n{}", until_none(stopped, "kill -CONT $found", 250)))
    }

    /// Fails unless it is running and has no pending fatal signal, as one that was sent while it was stopped or frozen.
    pub fn assert_running(&self) -> String {
        let tail = format!(
            "found=$(members | cut -d' ' -f1)\n\
             if [ -z \"$found\" ]; then echo 'it is not running' >&2; exit 1; fi\n\
             for pid in $found; do\n\
             \x20 pending=$(sed -n 's/^ShdPnd:[[:space:]]*........//p' /proc/$pid/status 2>/dev/null)\n\
             \x20 if [ $((0x${{pending:-0}} & {DEADLY})) -ne 0 ]; then echo \"process $pid has a fatal signal pending\" >&2; exit 1; fi\n\
             done\n"
        );
        self.script("is-running", &tail)
    }

    /// Fails while any of its processes exists.
    pub fn assert_gone(&self) -> String {
        self.script("is-gone", "found=$(members)\nif [ -n \"$found\" ]; then echo 'still running:' $found >&2; exit 1; fi\n")
    }

    /// Fails unless it is running and all its processes are stopped.
    pub fn assert_paused(&self) -> String {
        let assert_stopped = "found=$(members | grep -v 'T$')\nif [ -n \"$found\" ]; then echo 'not stopped:' $found >&2; exit 1; fi\n";
        self.script("is-paused", &format!("if [ -z \"$(members)\" ]; then echo 'it is not running' >&2; exit 1; fi\n{assert_stopped}"))
    }

    /// Fails while any of its processes is stopped. Processes that have ended do not count.
    pub fn assert_not_paused(&self) -> String {
        self.script(
            "is-not-paused",
            "found=$(members | grep 'T$')\nif [ -n \"$found\" ]; then echo 'still stopped:' $found >&2; exit 1; fi\n",
        )
    }

    /// Sends the stop signal, and kills it after the grace period.
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
        // The pidfile may by now be that of a daemon started meanwhile.
        let forget = format!("( {LOCK}; [ -n \"$(members)\" ] || rm -f {} ) 9<{}\n", quote(&self.pidfile()), quote(&self.run_directory));
        self.script(
            "stop",
            &format!("{ask}{}[ ! -d {} ] || {forget}", until_none("members", "kill -KILL $found", 250), quote(&self.run_directory)),
        )
    }

    /// The time-out for the script of [`Daemon::stop`].
    pub fn stop_limit(stop: &Stop) -> Span {
        Span(stop.grace.0.saturating_mul(3) + Duration::from_secs(30))
    }

    fn script(&self, verb: &str, tail: &str) -> String {
        with_members(verb, &self.name, &self.pidfile(), self.pattern.as_deref(), tail)
    }
}

/// A process of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its pid on the node.
    pub pid: u32,
    /// Its state as in `/proc/<pid>/stat`: `R`, `S`, `D`, `T` (stopped) …
    pub state: char,
}

impl Member {
    /// Parses the output of [`Daemon::members`].
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
mod tests;
