//! Limits of the kernel: the system's processes are moved to a cgroup of their own, and back to where they came from.
//!
//! All faults share one cgroup of the system in a hierarchy (of v1, one for each controller; of v2, one in all), because a process can be in one only. Each sets its
//! own files there. The injections that use it are noted on the node, and the last to be undone deletes it:
//!
//! ```text
//! /run/elenchus/cgroup/cpu/place         version, cgroup and hierarchy; `unified` in place of `cpu` with v2
//! /run/elenchus/cgroup/cpu/held/…-7      injection 7 needs it
//! /run/elenchus/cgroup/cpu/origins       pid, time of start and former cgroup of each process that was moved
//! /run/elenchus/cgroup/cpu/enabled       the controller was off for children of the hierarchy's root, and is put off again (v2)
//! /run/elenchus/cgroup/cpu/tree          the hierarchy, where the node has it nowhere else: it is mounted, and unmounted at the end
//! ```
//!
//! Memory that a process allocated before it was moved stays charged to its former cgroup (`Documentation/admin-guide/cgroup-v2.rst`, "Memory Ownership").

use elenchus_control::command::quote;
use elenchus_control::system::daemon::{Daemon, READ_PROC_STAT};

use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, NodeActions, Requirement};

/// A file of a cgroup, and the values written to it.
pub(crate) struct Knob {
    /// Its name.
    pub(crate) file: &'static str,
    /// The value with the limit. It may contain `$device`: see [`Limit::device`].
    pub(crate) set: String,
    /// The value without a limit.
    pub(crate) unset: String,
    /// The file and its line that show that the limit is in force, if not the file and value written.
    pub(crate) shown: Option<(&'static str, String)>,
    /// Whether kernels without the file are accepted.
    pub(crate) is_optional: bool,
}

impl Knob {
    pub(crate) fn new(file: &'static str, set: impl Into<String>, unset: impl Into<String>) -> Knob {
        Knob { file, set: set.into(), unset: unset.into(), shown: None, is_optional: false }
    }

    fn write(&self, value: &str) -> String {
        let or = if self.is_optional { "true" } else { "{ echo \"$group has no file of this kernel\" >&2; exit 1; }" };
        format!("\x20 if [ -e \"$group/{file}\" ]; then echo \"{value}\" >\"$group/{file}\" || exit 1; else {or}; fi\n", file = self.file)
    }

    /// Succeeds if the limit is shown.
    fn shows(&self) -> String {
        let (file, line) = self.shown.as_ref().map_or((self.file, &self.set), |(file, line)| (*file, line));
        format!("grep -qsxF \"{line}\" \"$group/{file}\"")
    }
}

/// A limit of a controller.
pub(crate) struct Limit {
    /// Its name.
    pub(crate) controller: &'static str,
    /// A directory on the disk that is limited.
    pub(crate) path: Option<String>,
    /// Its files in cgroup v1.
    pub(crate) v1: Vec<Knob>,
    /// Its files in cgroup v2.
    pub(crate) v2: Vec<Knob>,
}

const KEPT: &str = "/run/elenchus/cgroup";

/// `reach` finds the hierarchy of `$controller` (`$tree`, `$version`) and where it is noted (`$state` in `$kept`), and mounts it if the node has not.
/// `usable` enables the controller for the root's children, or fails. That of v1 is taken when it is there: its controllers are not in v2 then. Only the freezer is
/// always that of v2, as what v1 froze withstands SIGKILL.
const REACH: &str = "PATH=$PATH:/usr/sbin:/sbin\n\
    hierarchy() {\n\
    \x20 tree= unified=\n\
    \x20 while read -r _ where type options _; do\n\
    \x20   case $type:,$options, in\n\
    \x20     cgroup2:*) [ -n \"$unified\" ] || unified=$where;;\n\
    \x20     cgroup:*,$controller,*) [ -n \"$tree\" ] || tree=$where;;\n\
    \x20   esac\n\
    \x20 done </proc/mounts\n\
    \x20 version=1; [ $controller != freezer ] || tree=\n\
    \x20 [ -z \"$tree\" ] || return 0\n\
    \x20 tree=$unified version=2; in_v2=$controller; [ $controller != blkio ] || in_v2=io\n\
    \x20 [ -n \"$tree\" ] && { [ $controller = freezer ] || grep -qsw $in_v2 \"$tree/cgroup.controllers\"; }\n\
    }\n\
    reach() {\n\
    \x20 kind=cgroup2 state=$kept/unified\n\
    \x20 if [ $controller != freezer ] && grep -qs \"^$controller[[:space:]]*[1-9]\" /proc/cgroups; then kind=\"cgroup -o $controller\" state=$kept/$controller; fi\n\
    \x20 own=$state/tree\n\
    \x20 hierarchy || { mkdir -p \"$own\" && mount -t $kind cgroup \"$own\" && hierarchy; }\n\
    }\n\
    usable() {\n\
    \x20 [ $version = 2 ] && [ $controller != freezer ] || return 0\n\
    \x20 grep -qsw $in_v2 \"$tree/cgroup.subtree_control\" && return 0\n\
    \x20 echo +$in_v2 >\"$tree/cgroup.subtree_control\" && enabled=$in_v2\n\
    }\n\
    leave() { if grep -qs \" $own cgroup\" /proc/mounts; then umount \"$own\" || return 1; fi; rmdir \"$own\" 2>/dev/null; return 0; }\n";

/// `born` and `origin` print the start time of a live process and its cgroup. It takes `look` ([`READ_PROC_STAT`]), whose `$state` is not the scripts' own.
const PROCESS: &str = "born() ( look \"$1\" && [ $state != X ] && echo \"$born\" )\n\
    origin() {\n\
    \x20 if [ $version = 2 ]; then sed -n 's/^0:://p' \"/proc/$1/cgroup\"\n\
    \x20 else sed -n \"s/^[0-9]*:\\([^:]*,\\)\\{0,1\\}$controller\\(,[^:]*\\)\\{0,1\\}://p\" \"/proc/$1/cgroup\"; fi 2>/dev/null\n\
    }\n";

/// `release` moves every process in the cgroup of `$state` back to its former cgroup, or to the hierarchy's root if that is gone, and deletes the cgroup.
const RELEASE: &str = "release() {\n\
    \x20 own=$state/tree version= group= tree=\n\
    \x20 if [ -r \"$state/place\" ]; then read -r version group tree <\"$state/place\"; fi\n\
    \x20 tries=0\n\
    \x20 while [ -n \"$group\" ] && [ -d \"$group\" ]; do\n\
    \x20   [ $version = 1 ] || echo 0 >\"$group/cgroup.freeze\" 2>/dev/null\n\
    \x20   for pid in $(cat \"$group/cgroup.procs\"); do\n\
    \x20     since=$(born $pid) || continue\n\
    \x20     from=$(grep -s \"^$pid $since \" \"$state/origins\" || head -n 1 \"$state/origins\"); from=${from#* }; from=${from#* }\n\
    \x20     [ -n \"$from\" ] && echo $pid 2>/dev/null >\"$tree$from/cgroup.procs\" || echo $pid >\"$tree/cgroup.procs\"\n\
    \x20   done 2>/dev/null\n\
    \x20   rmdir \"$group\" 2>/dev/null && break\n\
    \x20   tries=$((tries + 1)); [ $tries -lt 200 ] || { echo \"$group cannot be emptied\" >&2; exit 1; }\n\
    \x20   sleep 0.05\n\
    \x20 done\n\
    \x20 for controller in $(cat \"$state/enabled\" 2>/dev/null); do echo -$controller >\"$tree/cgroup.subtree_control\"; done\n\
    \x20 leave && rm -rf \"$state/held\" && rm -f \"$state/place\" \"$state/origins\" \"$state/enabled\" && rmdir \"$state\"\n\
    }\n";

/// Sets `$name`: the name of a cgroup of the node. In a lab, whose nodes share one kernel, the node's tag is in it (see `control/src/lab/cgroups.rs`).
fn named(name: &str) -> String {
    format!("name=elenchus-{name}; if read -r lab </run/elenchus/lab; then name=elenchus-$lab.{name}; fi 2>/dev/null\n")
}

/// `family` prints the system's processes and all their descendants, also those that left its session.
fn family(daemon: &Daemon) -> String {
    format!(
        "family() {{\n\
         \x20 new=$(sh -c {members} | cut -d' ' -f1)\n\
         \x20 while [ -n \"$new\" ]; do\n\
         \x20   echo \"$new\"\n\
         \x20   new=$(for parent in $new; do cat /proc/$parent/task/*/children 2>/dev/null; done | tr -s ' ' '\\n')\n\
         \x20 done | sort -u\n\
         }}\n",
        members = quote(&daemon.members())
    )
}

impl Limit {
    /// The actions of an injection on one node. `mine` names the injection among the users of the cgroup.
    pub(crate) fn actions(&self, fault: &str, mine: &str, node: String, daemon: &Daemon) -> NodeActions {
        NodeActions {
            node,
            inject: self.inject(fault, mine, daemon),
            verify: self.verify(fault, mine, daemon),
            undo: self.undo(fault, mine),
            verify_undone: self.verify_undone(fault, mine, daemon),
        }
    }

    fn head(&self, verb: &str) -> String {
        format!(": {verb}\ncontroller={}\n{REACH}{READ_PROC_STAT}{PROCESS}{}", self.controller, self.device())
    }

    /// Sets `$device`: the device number of the whole disk that has the path.
    fn device(&self) -> String {
        let Some(path) = &self.path else { return String::new() };
        format!(
            "device=$(mountpoint -d \"$(df -P {path} | awk 'NR == 2 {{ print $6 }}')\")\n\
             if [ -e \"/sys/dev/block/$device/partition\" ]; then device=$(cat \"$(readlink -f \"/sys/dev/block/$device\")/../dev\"); fi\n",
            path = quote(path)
        )
    }

    /// A script with a branch for each version.
    fn by_version(&self, part: impl Fn(&Knob) -> String) -> String {
        let parts = |knobs: &[Knob]| knobs.iter().map(&part).collect::<String>();
        format!("if [ $version = 1 ]; then :\n{}else :\n{}fi\n", parts(&self.v1), parts(&self.v2))
    }

    fn inject(&self, fault: &str, mine: &str, daemon: &Daemon) -> String {
        format!(
            "{head}{name}{family}\
             [ -n \"$(family)\" ] || {{ echo 'the system does not run' >&2; exit 1; }}\n\
             kept={KEPT} enabled=\n\
             reach && usable || {{ echo \"no cgroup with the controller $controller can be made\" >&2; exit 1; }}\n\
             group=$tree/$name\n\
             mkdir -p \"$state/held\" && echo \"$version $group $tree\" >\"$state/place\" && : >\"$state/held/{mine}\" || exit 1\n\
             [ -z \"$enabled\" ] || echo $enabled >>\"$state/enabled\"\n\
             mkdir -p \"$group\" || exit 1\n\
             {set}\
             tries=0\n\
             while :; do\n\
             \x20 out=; for pid in $(family); do grep -qsx $pid \"$group/cgroup.procs\" || ! born $pid >/dev/null || out=\"$out $pid\"; done\n\
             \x20 [ -n \"$out\" ] || break\n\
             \x20 tries=$((tries + 1)); [ $tries -lt 100 ] || {{ echo \"these processes cannot be moved to $group:$out\" >&2; exit 1; }}\n\
             \x20 for pid in $out; do\n\
             \x20   since=$(born $pid) && echo \"$pid $since $(origin $pid)\" >>\"$state/origins\" && echo $pid >\"$group/cgroup.procs\"\n\
             \x20 done 2>/dev/null\n\
             \x20 sleep 0.02\n\
             done\n\
             cat \"$group/cgroup.procs\"\n",
            head = self.head(fault),
            name = named(&daemon.name),
            family = family(daemon),
            set = self.by_version(|knob| knob.write(&knob.set)),
        )
    }

    /// Runs a part of a script for each state directory.
    fn for_state(&self, part: &str) -> String {
        format!("for state in {KEPT}/{} {KEPT}/unified; do\n[ -d \"$state\" ] || continue\n{part}done\n", self.controller)
    }

    fn verify(&self, fault: &str, mine: &str, daemon: &Daemon) -> String {
        let shows = self.by_version(|knob| {
            let absent = if knob.is_optional { format!("[ ! -e \"$group/{}\" ] || ", knob.file) } else { String::new() };
            format!(
                "tries=0; until {absent}{}; do tries=$((tries + 1)); [ $tries -lt 100 ] || {{ echo \"{} is not in force\" >&2; exit 1; }}; sleep 0.05; done\n",
                knob.shows(),
                knob.file
            )
        });
        let part = format!(
            "[ -e \"$state/held/{mine}\" ] || continue\n\
             read -r version group tree <\"$state/place\" || exit 1\n\
             {shows}\
             for pid in $(family); do\n\
             \x20 grep -qsx $pid \"$group/cgroup.procs\" || ! born $pid >/dev/null || {{ echo \"$pid is not in $group\" >&2; exit 1; }}\n\
             done\n\
             exit 0\n"
        );
        let head = self.head(&format!("is-{fault}"));
        format!("{head}{}{}echo 'the limit is not set' >&2; exit 1\n", family(daemon), self.for_state(&part))
    }

    fn undo(&self, fault: &str, mine: &str) -> String {
        let part = format!(
            "rm -f \"$state/held/{mine}\"\n\
             if [ -z \"$(ls \"$state/held\" 2>/dev/null)\" ]; then release || exit 1; continue; fi\n\
             read -r version group tree <\"$state/place\" || exit 1\n\
             {}",
            self.by_version(|knob| format!("if {}; then\n{}fi\n", knob.shows(), knob.write(&knob.unset)))
        );
        format!("{}{RELEASE}{}", self.head(&format!("un-{fault}")), self.for_state(&part))
    }

    fn verify_undone(&self, fault: &str, mine: &str, daemon: &Daemon) -> String {
        let part = format!(
            "[ ! -e \"$state/held/{mine}\" ] || {{ echo 'the limit was not lifted' >&2; exit 1; }}\n\
             read -r version group tree <\"$state/place\" || continue\n\
             held=yes\n\
             {}",
            self.by_version(|knob| {
                // An optional file may be shared; only the value of this limit counts.
                format!("if {}; then echo \"{} is still in force\" >&2; exit 1; fi\n", knob.shows(), knob.file)
            })
        );
        format!(
            "{}{}{}held=\n{}[ -z \"$held\" ] || exit 0\n\
             for pid in $(family); do\n\
             \x20 if grep -s \":$controller:\\|^0::\" /proc/$pid/cgroup | grep -q \"/$name\\$\"; then echo \"$pid is still in $name\" >&2; exit 1; fi\n\
             done\n",
            self.head(&format!("is-not-{fault}")),
            named(&daemon.name),
            family(daemon),
            self.for_state(&part)
        )
    }

    /// The requirement that the controller exists and may be used: tried with a cgroup that is removed at once.
    pub(crate) fn requirement(&self) -> Requirement {
        let files = self.by_version(|knob| match knob.is_optional {
            true => String::new(),
            false => format!("[ -e \"$group/{}\" ] || failed=yes\n", knob.file),
        });
        let device = match &self.path {
            None => "",
            Some(_) => "case $device in *[0-9]:[0-9]*) ;; *) failed=yes;; esac\n[ -e \"/sys/dev/block/$device\" ] || failed=yes\n",
        };
        let test = format!(
            "{}{}failed= kept=/run/elenchus/cgroup-test-$$ enabled=\n\
             if reach && usable && group=$tree/$name && mkdir \"$group\"; then\n{files}{device}rmdir \"$group\"; else failed=yes; fi\n\
             [ -z \"$enabled\" ] || echo -$enabled >\"$tree/cgroup.subtree_control\"\n\
             leave; rmdir \"$state\" \"$kept\" 2>/dev/null\n[ -z \"$failed\" ]\n",
            self.head("can-limit"),
            named("test-$$")
        );
        let what = match &self.path {
            None => String::new(),
            Some(path) => format!(", and {path} on a disk of its own number"),
        };
        let version = if self.v1.is_empty() { "of version 2 with `cgroup.freeze`" } else { "" };
        let advice = format!(
            "this needs a cgroup file system {version} that root may change, with the controller `{}`{what}; a lab without root and most containers have none",
            self.controller
        );
        Requirement::test(test, advice.replace("  ", " "))
    }
}

/// Deletes all our cgroups, of any injection.
pub(crate) fn undo_all(cluster: &Cluster) -> Vec<RemoteScript> {
    let script = format!(
        ": lift all limits\n{REACH}{READ_PROC_STAT}{PROCESS}{RELEASE}for state in {KEPT}/*; do\n\x20 [ -d \"$state\" ] || continue\n\x20 controller=${{state##*/}}\n\x20 release || exit 1\ndone\n"
    );
    remote_script::everywhere(cluster, &script)
}
