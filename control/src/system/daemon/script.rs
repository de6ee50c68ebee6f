//! Pieces of shell that all scripts of a daemon share.

use crate::command::quote;

/// A word in every script, by which scripts exclude themselves and each other from the processes whose command line matches the pattern.
const MARK: &str = "ELENCHUS_SUPERVISOR";

/// The prefix of the agent's path on nodes. Its command lines contain paths of the system, which the pattern may match. The folder is neither `/run` nor `/tmp`,
/// which are often mounted `noexec`, and only root can write to it.
pub const AGENT: &str = "/var/lib/elenchus/agent-";

/// The directory of the dead man's switches on nodes. Their shells have it in their command lines.
pub const DEAD_MANS_SWITCHES: &str = "/run/elenchus/faults";

/// A shell function, `look PID`, that reads state, session and start time from `/proc/PID/stat` into `$state`, `$session` and `$born`, and fails if there is no such
/// process. The command's name may contain spaces and brackets, so fields are counted from the last bracket. An ended process has the state `X`, zombie or not;
/// but a process whose first thread has ended while others still run has the state `S`, because it holds its ports and files.
pub const READ_PROC_STAT: &str = "look() { line=; { read -r line < \"/proc/$1/stat\"; } 2>/dev/null || return 1; \
                        set -- ${line##*) }; state=$1 session=$4 born=${20}; \
                        case $state in Z) if [ ${18} -gt 1 ]; then state=S; else state=X; fi;; x) state=X;; esac; }\n";

/// The signals that end a process, as the lower 32 bits of a signal set in `/proc/<pid>/status`: HUP, INT, QUIT, ABRT, BUS, KILL, USR1, SEGV, USR2 and TERM.
pub(super) const DEADLY: &str = "0x4f67";

/// Locks the pidfile's directory, open as descriptor 9, where the node has `flock`. The lock is held briefly, so a longer wait means that its holder is stopped.
pub(super) const LOCK: &str = "flock -w 5 9 2>/dev/null";

/// Repeats `act` on the processes that `list` finds until it finds none, because processes may fork meanwhile.
pub(super) fn until_none(list: &str, act: &str, polls: u32) -> String {
    format!(
        "tries=0\n\
         while :; do\n\
         \x20 found=$({list} | cut -d' ' -f1)\n\
         \x20 if [ -z \"$found\" ]; then break; fi\n\
         \x20 if [ $tries -ge {polls} ]; then echo \"the signal had no effect on:\" $found >&2; exit 1; fi\n\
         \x20 {act} 2>/dev/null\n\
         \x20 tries=$((tries + 1)); sleep 0.02\n\
         done\n"
    )
}

/// A script that defines the function `members`, which prints `pid state` for each process of the daemon, and then runs `tail`. Its first line contains
/// `verb`: error messages show that line.
pub(super) fn with_members(verb: &str, name: &str, pidfile: &str, pattern: Option<&str>, tail: &str) -> String {
    let by_pattern = match pattern {
        None => String::new(),
        Some(pattern) => format!(
            "  for pid in $(pgrep -f -- {pattern}); do\n\
             \x20   look \"$pid\" || continue\n\
             \x20   [ $state = X ] && continue\n\
             \x20   if [ -n \"$leader\" ] && [ \"$session\" = \"$leader\" ]; then continue; fi\n\
             \x20   if grep -aqs -e {MARK} -e {AGENT} -e {DEAD_MANS_SWITCHES} \"/proc/$pid/cmdline\" || grep -qsx pgrep \"/proc/$pid/comm\"; then continue; fi\n\
             \x20   echo \"$pid $state\"\n\
             \x20 done\n",
            pattern = quote(pattern)
        ),
    };
    let (pidfile, name) = (quote(pidfile), quote(name));
    format!(
        ": {MARK} {verb} {name}\n{READ_PROC_STAT}\
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
