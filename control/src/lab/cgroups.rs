//! The cgroups that faults make in a lab's nodes.
//!
//! They are the one thing that the kernel does not end with a lab: it has no namespace of cgroups that could die. So those of a lab are named for it, and its outer
//! process deletes them when the lab is over. What a lab left whose outer process was killed, the next one deletes. They are empty then, and limit nobody.

use std::fs;
use std::path::PathBuf;

use super::procfs::ProcessId;

/// Where a node says which lab's it is, and which node: faults put it into the names of cgroups.
pub(super) const TAG_FILE: &str = "/run/elenchus/lab";

/// What the names of all cgroups begin with that faults make in labs.
const PREFIX: &str = "elenchus-lab.";

/// Those of the lab below one process.
pub(super) struct Cgroups {
    outer: ProcessId,
    hierarchies: Vec<PathBuf>,
}

impl Cgroups {
    /// Before the lab begins, whose `/proc` covers the host's: looks where there may be any, and deletes those of labs whose outer process has ended.
    pub(super) fn before(outer: ProcessId) -> Cgroups {
        let cgroups = Cgroups { outer, hierarchies: hierarchies() };
        cgroups.delete(|other| !other.is_alive());
        cgroups
    }

    /// The tag of the lab.
    pub(super) fn tag(&self) -> String {
        format!("lab.{}.{}", self.outer.pid, self.outer.started)
    }

    /// When the lab is over: deletes its own.
    pub(super) fn end(&self) {
        self.delete(|outer| outer == self.outer);
    }

    fn delete(&self, is_over: impl Fn(ProcessId) -> bool) {
        for cgroup in self.hierarchies.iter().flat_map(fs::read_dir).flatten().flatten() {
            if cgroup.file_name().to_str().and_then(outer_of).is_some_and(&is_over) {
                let _ = fs::remove_dir(cgroup.path());
            }
        }
    }
}

/// The outer process of the lab whose cgroup has this name.
fn outer_of(name: &str) -> Option<ProcessId> {
    let mut numbers = name.strip_prefix(PREFIX)?.split('.');
    Some(ProcessId { pid: numbers.next()?.parse().ok()?, started: numbers.next()?.parse().ok()? })
}

/// Where the hierarchies of cgroups are mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(place))
    });
    mounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_is_known_by_the_tag_of_its_lab() {
        let us = ProcessId::of(std::process::id()).unwrap();
        let cgroups = Cgroups { outer: us, hierarchies: Vec::new() };
        assert_eq!(outer_of(&format!("elenchus-{}.n1.etcd", cgroups.tag())), Some(us));
        assert_eq!(outer_of("elenchus-etcd"), None);
        assert_eq!(outer_of("elenchus-lab.x"), None);
    }

    #[test]
    fn those_of_labs_that_are_over_are_deleted() {
        let hierarchy = tempfile::tempdir().unwrap();
        let us = ProcessId::of(std::process::id()).unwrap();
        let cgroups = Cgroups { outer: us, hierarchies: vec![hierarchy.path().to_owned()] };
        let names = [
            format!("elenchus-{}.n1.etcd", cgroups.tag()),
            format!("elenchus-lab.{}.{}.n1.x", us.pid, us.started + 1),
            "system.slice".to_owned(),
        ];
        for name in &names {
            fs::create_dir(hierarchy.path().join(name)).unwrap();
        }
        let left = || names.iter().map(|name| hierarchy.path().join(name).exists()).collect::<Vec<bool>>();
        cgroups.delete(|other| !other.is_alive());
        assert_eq!(left(), [true, false, true]);
        cgroups.end();
        assert_eq!(left(), [false, false, true]);
    }
}
