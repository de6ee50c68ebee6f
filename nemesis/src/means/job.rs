//! Background jobs on a node, for as long as a fault is in force.

use elenchus_control::system::daemon::Daemon;

use crate::means::remote_script::{self, RemoteScript};
use crate::{Cluster, NemesisError, NodeActions};

const FOLDER: &str = "/run/elenchus/jobs";

/// A background command on a node, in a session of its own, named after a fault and an injection.
pub(crate) struct Job(Daemon);

impl Job {
    /// The job of an injection. `command` is run by `sh` and must stay in the foreground.
    pub(crate) fn new(fault: &str, id: u32, command: String) -> Job {
        let folder = FOLDER.to_owned();
        Job(Daemon { name: format!("{fault}-{id}"), command, run_directory: folder.clone(), log_directory: folder, ..Daemon::default() })
    }

    /// The file with its pid and start time.
    pub(crate) fn pidfile(&self) -> String {
        self.0.pidfile()
    }

    /// The file with its output.
    pub(crate) fn log(&self) -> String {
        self.0.log()
    }

    /// Starts it.
    pub(crate) fn start(&self) -> String {
        self.0.start()
    }

    /// Kills it with all its children, and deletes its files.
    pub(crate) fn end(&self) -> String {
        format!("{}rm -f {} {}\n", self.0.kill(), self.0.pidfile(), self.0.log())
    }

    /// Fails unless it runs.
    pub(crate) fn assert_running(&self) -> String {
        self.0.assert_running()
    }

    /// Fails while any of its processes is left.
    pub(crate) fn assert_gone(&self) -> String {
        self.0.assert_gone()
    }

    /// The actions of a job that stops and starts the system. The undo starts it too, half a second after the job was killed: the job may just have started it, and it needs
    /// time to write its pidfile.
    pub(crate) fn around(&self, node: String, system: &Daemon) -> NodeActions {
        NodeActions {
            node,
            inject: self.start(),
            verify: self.assert_running(),
            undo: format!("( {} ) && sleep 0.5 && ( {} )", self.end(), system.start()),
            verify_undone: format!("( {} ) && ( {} )", self.assert_gone(), system.assert_running()),
        }
    }

    /// The actions of a fault that is nothing but the job, on these nodes.
    pub(crate) fn actions(&self, cluster: &Cluster, nodes: &[usize], verify_too: &str) -> Vec<NodeActions> {
        let nodes = nodes.iter().filter_map(|&at| cluster.nodes.get(at));
        let actions = nodes.map(|node| NodeActions {
            node: node.name.clone(),
            inject: self.start(),
            verify: format!("{}{verify_too}", self.assert_running()),
            undo: self.end(),
            verify_undone: self.assert_gone(),
        });
        actions.collect()
    }
}

/// Kills all jobs of a fault, of any injection.
pub(crate) fn undo_all(fault: &str) -> String {
    format!(
        ": end all jobs of {fault}\n\
         for file in {FOLDER}/{fault}-*.pid; do\n\
         \x20 [ -r \"$file\" ] || continue\n\
         \x20 read -r leader since <\"$file\"\n\
         \x20 line=; {{ read -r line <\"/proc/$leader/stat\"; }} 2>/dev/null\n\
         \x20 set -- ${{line##*) }}\n\
         \x20 if [ \"${{20}}\" = \"$since\" ]; then pkill -KILL -s \"$leader\"; fi\n\
         \x20 rm -f \"$file\"\n\
         done\n"
    )
}

/// The same, and starts the system wherever it does not run.
pub(crate) fn undo_all_and_start(cluster: &Cluster, fault: &str) -> Result<Vec<RemoteScript>, NemesisError> {
    remote_script::on_daemons(cluster, &cluster.all(), |node, daemon| {
        RemoteScript::new(node, format!("( {} ) && ( {} )", undo_all(fault), daemon.start()))
    })
}
