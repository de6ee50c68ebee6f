//! The cgroups that faults create in a lab's nodes.
//!
//! The kernel does not remove cgroups with the lab's namespaces. Their names therefore contain the lab's tag, and the lab's outer process deletes them at the end.
//! If the outer process was killed, the next lab deletes them; until then they are empty and limit no process.

use std::fs;
use std::path::PathBuf;

use super::procfs::ProcessId;

/// The common prefix of the names of cgroups that faults create in labs.
const PREFIX: &str = "elenchus-lab.";

/// The cgroups of the lab of one outer process.
pub(super) struct Cgroups {
    outer: ProcessId,
    hierarchies: Vec<PathBuf>,
}

impl Cgroups {
    /// Finds the mounted hierarchies, and deletes the cgroups of labs whose outer process has ended. To be called before the lab mounts its own `/proc`.
    pub(super) fn prepare(outer: ProcessId) -> Cgroups {
        let cgroups = Cgroups { outer, hierarchies: hierarchies() };
        cgroups.delete(|outer| !outer.is_alive());
        cgroups
    }

    /// The lab's tag.
    pub(super) fn tag(&self) -> String {
        format!("lab.{}.{}", self.outer.pid, self.outer.started)
    }

    /// Deletes this lab's cgroups.
    pub(super) fn delete_own(&self) {
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

/// The outer process of the lab to which a cgroup of this name belongs.
fn outer_of(name: &str) -> Option<ProcessId> {
    let mut numbers = name.strip_prefix(PREFIX)?.split('.');
    Some(ProcessId { pid: numbers.next()?.parse().ok()?, started: numbers.next()?.parse().ok()? })
}

/// The mount points of the cgroup hierarchies.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (mount_point, kind) = (fields.next()?, fields.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(mount_point))
    });
    mounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cgroup_name_gives_its_labs_outer_process() {
        let us = ProcessId::of(std::process::id()).unwrap();
        let cgroups = Cgroups { outer: us, hierarchies: Vec::new() };
        assert_eq!(outer_of(&format!("elenchus-{}.n1.etcd", cgroups.tag())), Some(us));
        assert_eq!(outer_of("elenchus-etcd"), None);
        assert_eq!(outer_of("elenchus-lab.x"), None);
    }

    #[test]
    fn cgroups_of_ended_labs_are_deleted() {
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
        cgroups.delete(|outer| !outer.is_alive());
        assert_eq!(left(), [true, false, true]);
        cgroups.delete_own();
        assert_eq!(left(), [false, false, true]);
    }
}
