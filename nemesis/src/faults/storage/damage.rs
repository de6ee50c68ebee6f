//! Damaged files: flipped bits, truncated or zeroed ends, deleted files.
//!
//! The system is killed, its files are damaged, and it is started on them, as after a power failure of a machine with a bad disk.

use elenchus_control::command::quote;
use elenchus_control::system::daemon::Daemon;
use elenchus_core::{Seed, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::{About, Need, Overlap};
use crate::means::node_lock;
use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, Fault, Injection, NemesisError, NodeActions, Requirement, Roster, Targets};

/// Kills the system, damages its files, and restarts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Damage {
    /// The nodes.
    pub targets: Targets,
    /// The files: a shell pattern of absolute paths, like `/var/lib/etcd/member/wal/*.wal`. Directories and links are skipped.
    pub files: String,
    /// The damage to each file.
    pub how: How,
    /// The number of files, which the seed chooses; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Whether the heal kills the system again and restores the files. Otherwise the damage stays.
    pub restore: bool,
}

/// The damage to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// This many bits are flipped, at places that the seed decides.
    Flip(u32),
    /// This many bytes are cut off its end; all, if it is not longer.
    Truncate(u64),
    /// This many bytes at its end become zeros, as when a file's length was written but its content was not.
    Zero(u64),
    /// It is deleted.
    Delete,
}

impl Default for How {
    fn default() -> How {
        How::Flip(1)
    }
}

const ABOUT: About = About {
    name: "damage",
    what: "kills the system, flips bits in its files, truncates them, zeroes their ends or deletes them, and restarts it",
    how: "`dd`, `truncate` and `rm` on files that match a pattern, at places that the seed chooses; copies are kept on the node until the heal",
    needs: "a system in the plan; `dd`, `od`, `truncate`, `cmp`; space in `/var/tmp` for copies of the files",
    verified: "before the system is started, each damaged file differs from its copy",
    healed: "with `restore`, the system is killed and the files are equal to their copies again; the system is started, but may not survive on damaged files",
    example: "{files: '/var/lib/etcd/member/wal/*.wal', how: {flip: 3}}",
    overlap: Overlap::Exclusive,
    reports_effect: false,
    is_destructive: true,
};

/// The most bits that are flipped in a file: each takes a process on the node.
const MAX_FLIPS: u32 = 1000;

/// Copies of the files by number, and `names`: the files' names in the same order.
fn folder(id: u32) -> String {
    format!("/var/tmp/elenchus-damage-{id}")
}

impl Damage {
    /// Damages the file `$file` of `$size` bytes, the `$number`th.
    fn harm(&self, seed: u64) -> String {
        let keep = |bytes| format!("keep=$((size - {bytes})); [ $keep -ge 0 ] || keep=0; truncate -s $keep \"$file\"\n");
        match self.how {
            How::Delete => "rm -f \"$file\"\n".into(),
            How::Truncate(bytes) => keep(bytes),
            How::Zero(bytes) => keep(bytes) + "truncate -s $size \"$file\"\n",
            How::Flip(count) => {
                let mut rng = Seed(seed).stream("damage");
                // A position, taken modulo the file's size later, and the value of a bit.
                let places: Vec<String> = (0..count).map(|_| format!("{}:{}", rng.below(1 << 53), 1 << rng.below(8))).collect();
                format!(
                    "for place in {}; do\n\
                     \x20 at=$(( (${{place%:*}} + number * 7919) % size ))\n\
                     \x20 was=$(od -An -tu1 -j $at -N 1 \"$file\" | tr -d ' ')\n\
                     \x20 printf \"\\\\$(printf %03o $((was ^ ${{place#*:}})))\" | dd of=\"$file\" bs=1 seek=$at conv=notrunc 2>/dev/null\n\
                     done\n",
                    places.join(" ")
                )
            }
        }
    }

    fn inject(&self, daemon: &Daemon, id: u32, seed: u64) -> String {
        let (folder, first) = (folder(id), Seed(seed).stream("files").below(1 << 31));
        let count = self.count.map_or("$found".to_owned(), |count| count.to_string());
        format!(
            ": damage\nset -e\n( {kill} ) >/dev/null\nrm -rf {folder}\nmkdir -p {folder}\n\
             for file in {files}; do\n\
             \x20 if [ -f \"$file\" ] && [ ! -L \"$file\" ] && [ -s \"$file\" ]; then printf '%s\\n' \"$file\"; fi\n\
             done >{folder}/all\n\
             found=$(wc -l <{folder}/all)\n\
             [ $found -gt 0 ] || {{ echo {none} >&2; exit 1; }}\n\
             first=$(({first} % found))\n\
             {{ tail -n +$((first + 1)) {folder}/all; head -n $first {folder}/all; }} | head -n {count} >{folder}/names\n\
             number=0\n\
             while IFS= read -r file; do\n\
             \x20 number=$((number + 1)); size=$(wc -c <\"$file\")\n\
             \x20 cp -p \"$file\" {folder}/$number\n\
             {harm}\
             \x20 if cmp -s \"$file\" {folder}/$number; then echo \"$file is unchanged\" >&2; exit 1; fi\n\
             done <{folder}/names\n\
             sync\n( {start} )\n: >{folder}/done\n",
            kill = daemon.kill(),
            start = daemon.start(),
            files = self.files,
            none = quote(&format!("no file matches {}, or all matching files are empty", self.files)),
            harm = self.harm(seed),
        )
    }

    fn undo(&self, daemon: &Daemon, id: u32) -> String {
        let folder = folder(id);
        let restore = format!(
            "if [ -e {folder}/names ]; then\n( {} ) >/dev/null || exit 1\n\
             number=0\n\
             while IFS= read -r file; do\n\
             \x20 number=$((number + 1)); [ -e {folder}/$number ] || continue\n\
             \x20 cp -p {folder}/$number \"$file\" && cmp \"$file\" {folder}/$number || exit 1\n\
             done <{folder}/names\nsync\nfi\n",
            daemon.kill()
        );
        // The damage of an injection that stopped half-way is undone in any case.
        let when = if self.restore { restore } else { format!("if [ ! -e {folder}/done ]; then\n{restore}fi\n") };
        format!(": repair\n{}", node_lock::with_copy_lock(&format!("{when}( {} ) 8>&- || exit 1\nrm -rf {folder}\n", daemon.start())))
    }
}

impl Fault for Damage {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn describe(&self, nodes: &str) -> String {
        let done = match self.how {
            How::Flip(count) => format!("{count} bits flipped in"),
            How::Truncate(bytes) => format!("{bytes} bytes cut off"),
            How::Zero(bytes) => format!("{bytes} bytes zeroed at the end of"),
            How::Delete => "deleted".into(),
        };
        format!("{nodes} with {done} {}", self.files)
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::System]
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if !self.files.starts_with('/') || !remote_script::is_pattern(&self.files) {
            return Err(format!("`files` must be a pattern of absolute paths without spaces and quotes, not `{}`", self.files));
        }
        match (&self.how, self.count) {
            (How::Flip(count), _) if !(1..=MAX_FLIPS).contains(count) => Err(format!("`flip` must be from 1 to {MAX_FLIPS} bits")),
            (How::Truncate(0) | How::Zero(0), _) | (_, Some(0)) => Err("nothing would be damaged; use 1 or more".into()),
            _ => Ok(()),
        }
    }

    fn actions(&self, cluster: &Cluster, id: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let folder = folder(id);
        remote_script::on_daemons(cluster, &injection.nodes, |node, daemon| NodeActions {
            node,
            inject: self.inject(daemon, id, injection.seed),
            verify: format!(": is-damaged\n[ -e {folder}/done ] || {{ echo 'nothing was damaged' >&2; exit 1; }}\n"),
            undo: self.undo(daemon, id),
            verify_undone: format!(": is-repaired\nif [ -e {folder} ]; then echo 'the files were not repaired' >&2; exit 1; fi\n"),
        })
    }

    fn time_limit(&self, _: &Cluster) -> Span {
        // Copying large files takes time.
        remote_script::LONGEST
    }

    fn undo_all(&self, cluster: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        remote_script::start_everywhere(cluster)
    }

    fn requirements(&self) -> Vec<Requirement> {
        Requirement::commands(&["dd", "od", "truncate", "cmp"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_not_commands() {
        let check = |yaml: &str| serde_yaml::from_str::<Damage>(yaml).unwrap().check(&Roster::of(vec!["n1".into()]));
        assert_eq!(check("{files: '/var/lib/x/*.[ab]', how: {flip: 3}}"), Ok(()));
        assert!(check("files: '/tmp/x; reboot'").is_err() && check("files: '/tmp/$(reboot)'").is_err() && check("files: x").is_err());
        assert!(check("{files: /x, how: {flip: 0}}").is_err() && check("{files: /x, how: {zero: 0}}").is_err());
        assert!(check("{files: /x, how: delete, count: 0}").is_err());
    }
}
