//! Neighbours that take what the system needs: processor time, memory, room on the disk.

use elenchus_control::command::quote;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::about::{About, Overlap};
use crate::errand::{self, Errand};
use crate::job::{self, Job};
use crate::{Cluster, Deed, Fault, NemesisError, Requirement, Roster, Targets, Work};

/// Keeps a node's processors busy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cpu {
    /// On which nodes.
    pub targets: Targets,
    /// How many busy processes; two for each processor when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
}

const ABOUT_CPU: About = About {
    name: "cpu",
    what: "keeps a node's processors busy with processes that never wait",
    how: "a job of shells in endless loops, two for each processor unless said otherwise",
    needs: "`setsid`, `pkill`",
    verified: "the job runs",
    healed: "the job is ended; nothing of it runs",
    overlap: Overlap::Apart,
    is_destructive: false,
};

/// The most busy processes that make sense.
const MAX_WORKERS: u32 = 4096;

impl Fault for Cpu {
    fn about(&self) -> &'static About {
        &ABOUT_CPU
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} busy")
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        match self.workers {
            Some(workers) if !(1..=MAX_WORKERS).contains(&workers) => Err(format!("`workers` is from 1 to {MAX_WORKERS}")),
            _ => Ok(()),
        }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let workers = self.workers.map_or("$(( 2 * $(grep -c '^processor' /proc/cpuinfo) ))".to_owned(), |workers| workers.to_string());
        let command = format!("left={workers}; while [ $left -gt 0 ]; do left=$((left - 1)); (while :; do :; done) & done; wait");
        Ok(of_job(cluster, deed, &Job::new(ABOUT_CPU.name, id, command), ""))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &job::sweep(ABOUT_CPU.name)))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![Requirement::command(&["setsid"]), Requirement::command(&["pkill"])]
    }
}

/// Takes a node's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// On which nodes.
    pub targets: Targets,
    /// How much, in MiB.
    pub mib: u32,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { targets: Targets::One, mib: 256 }
    }
}

const ABOUT_MEMORY: About = About {
    name: "memory",
    what: "takes so much of a node's memory that others have to do without",
    how: "a job whose `tail` keeps as many bytes of one endless line",
    needs: "`setsid`, `pkill`, `head`, `tail`",
    verified: "the job runs, and holds the memory",
    healed: "the job is ended; nothing of it runs",
    overlap: Overlap::Apart,
    is_destructive: false,
};

impl Fault for Memory {
    fn about(&self) -> &'static About {
        &ABOUT_MEMORY
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} without {} MiB", self.mib)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.mib == 0 { Err("`mib` must be 1 or more".into()) } else { Ok(()) }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let bytes = u64::from(self.mib) << 20;
        let job = Job::new(ABOUT_MEMORY.name, id, format!("(head -c {bytes} /dev/zero; exec sleep 100000000) | tail"));
        // It takes a while to be written.
        let holds = format!(
            "read -r leader since <{}\ntries=0\n\
             until cat $(pgrep -s $leader | sed 's|.*|/proc/&/status|') 2>/dev/null | awk '/^VmRSS:/ {{ s += $2 }} END {{ exit s < {} }}'; do\n\
             \x20 tries=$((tries + 1)); [ $tries -lt 200 ] || {{ echo 'the memory is not held' >&2; exit 1; }}; sleep 0.1\n\
             done\n",
            quote(&job.pidfile()),
            bytes / 1024 / 10 * 9
        );
        Ok(of_job(cluster, deed, &job, &holds))
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(errand::everywhere(cluster, &job::sweep(ABOUT_MEMORY.name)))
    }

    fn requirements(&self) -> Vec<Requirement> {
        ["setsid", "pkill", "head", "tail"].map(|command| Requirement::command(&[command])).to_vec()
    }
}

/// The work of a job on every node of a deed.
fn of_job(cluster: &Cluster, deed: &Deed, job: &Job, verify_too: &str) -> Vec<Work> {
    let nodes = deed.nodes.iter().filter_map(|&at| cluster.nodes.get(at));
    let works = nodes.map(|node| Work {
        node: node.name.clone(),
        inject: job.start(),
        verify: format!("{}{verify_too}", job.assert_running()),
        undo: job.end(),
        verify_undone: job.assert_gone(),
    });
    works.collect()
}

/// Fills the disk on which a path is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FillDisk {
    /// On which nodes.
    pub targets: Targets,
    /// A directory on the disk that is filled.
    pub path: String,
    /// How much is left free, in KiB.
    pub leave_kib: u64,
}

const ABOUT_FILL: About = About {
    name: "fill_disk",
    what: "fills the disk on which a directory is, so that writes fail for want of room",
    how: "a file `.elenchus-fill-…` in the directory, as large as what is free",
    needs: "the directory; `df`, `fallocate` or `dd`",
    verified: "the file is there, and no more is free than was to be left",
    healed: "the file is deleted, and not there",
    overlap: Overlap::Never,
    is_destructive: false,
};

impl FillDisk {
    fn file(&self, id: &str) -> String {
        format!("{}/.elenchus-fill-{id}", self.path.trim_end_matches('/'))
    }

    /// Sets `$free`: how many KiB are free, in blocks that an ordinary user may use.
    fn free(&self) -> String {
        format!("free=$(df -Pk {} | awk 'NR == 2 {{ print $4 }}')\n", quote(&self.path))
    }
}

impl Fault for FillDisk {
    fn about(&self) -> &'static About {
        &ABOUT_FILL
    }

    fn targets(&self) -> &Targets {
        &self.targets
    }

    fn what(&self, nodes: &str) -> String {
        format!("{nodes} with the disk of {} full", self.path)
    }

    fn check(&self, _: &Roster) -> Result<(), String> {
        if self.path.starts_with('/') { Ok(()) } else { Err(format!("`path` is an absolute path of a directory, not `{}`", self.path)) }
    }

    fn works(&self, cluster: &Cluster, id: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let (file, free, leave) = (quote(&self.file(&id.to_string())), self.free(), self.leave_kib);
        let nodes = deed.nodes.iter().filter_map(|&at| cluster.nodes.get(at));
        let works = nodes.map(|node| Work {
            node: node.name.clone(),
            // What `fallocate` cannot do, `dd` does; it may end for want of room, which is what is wanted.
            inject: format!(
                ": fill\n{free}take=$((free - {leave}))\n[ $take -gt 0 ] || {{ : >{file}; exit 0; }}\n\
                 fallocate -l ${{take}}K {file} 2>/dev/null || dd if=/dev/zero of={file} bs=1024 count=$take 2>/dev/null\n\
                 [ -e {file} ] || {{ echo 'nothing can be written there' >&2; exit 1; }}\n"
            ),
            // File systems keep a little for themselves.
            verify: format!(
                ": is-full\n[ -e {file} ] || {{ echo 'the file is not there' >&2; exit 1; }}\n\
                 {free}[ $free -le $(({leave} + 1024)) ] || {{ echo \"$free KiB are free\" >&2; exit 1; }}\n"
            ),
            undo: format!(": empty\nrm -f {file}\n"),
            verify_undone: format!(": is-empty\nif [ -e {file} ]; then echo 'the file is still there' >&2; exit 1; fi\n"),
        });
        Ok(works.collect())
    }

    fn sweep(&self, cluster: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        if self.path.is_empty() {
            return Ok(Vec::new());
        }
        let files = format!("{}/.elenchus-fill-", quote(self.path.trim_end_matches('/')));
        Ok(errand::everywhere(cluster, &format!(": empty\nrm -f {files}*\n")))
    }

    fn requirements(&self) -> Vec<Requirement> {
        vec![
            Requirement::command(&["df"]),
            Requirement::command(&["fallocate", "dd"]),
            Requirement::test(format!("test -d {}", quote(&self.path)), format!("there is no directory {} to be filled", self.path)),
        ]
    }
}
