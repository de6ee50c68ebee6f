//! Removing the system from the nodes.

use super::{Node, System, SystemError};
use crate::command::{Command, quote};

impl System {
    /// Kills the system, empties its data directories, and deletes its log and pidfile. Idempotent.
    pub async fn wipe(&self, node: &Node) -> Result<(), SystemError> {
        self.kill(node).await?;
        let rendered = self.on(&node.name)?;
        let mut script = format!("rm -f {} {}\n", quote(&rendered.daemon.pidfile()), quote(&rendered.daemon.log()));
        for path in &rendered.data {
            script += &format!("if [ -d {path} ]; then find {path} -mindepth 1 -delete; fi || exit 1\n", path = quote(path));
        }
        self.step(node, "delete the data", Command::sh(&script)).await.map(drop)
    }

    /// Kills the system and removes everything it left on the node, except packages and users. Idempotent.
    pub async fn remove(&self, node: &Node) -> Result<(), SystemError> {
        self.wipe(node).await?;
        let mut script: String = self.created_paths(node)?.iter().map(|path| format!("rm -rf -- {} || exit 1\n", quote(path))).collect();
        let daemon = &self.on(&node.name)?.daemon;
        script += &format!("rmdir {} {} 2>/dev/null || true\n", quote(&daemon.run_directory), quote(&daemon.log_directory));
        self.step(node, "remove files", Command::sh(&script)).await.map(drop)
    }

    /// Describes the processes and files of the system that are on a node: none after [`System::remove`].
    pub async fn leftovers(&self, node: &Node) -> Result<Vec<String>, SystemError> {
        let mut left: Vec<String> = self
            .processes(node)
            .await?
            .iter()
            .map(|member| format!("{}: process {} of `{}`", node.name, member.pid, self.definition.name))
            .collect();
        let rendered = self.on(&node.name)?;
        let mut paths = self.created_paths(node)?;
        paths.extend([rendered.daemon.pidfile(), rendered.daemon.log()]);
        let script: String = paths.iter().map(|path| format!("[ ! -e {path} ] || echo {path}\n", path = quote(path))).collect();
        let output = self.step(node, "look for leftovers", Command::sh(&script)).await?;
        left.extend(output.stdout_text().lines().map(|path| format!("{}: {path}", node.name)));
        Ok(left)
    }

    fn created_paths(&self, node: &Node) -> Result<Vec<String>, SystemError> {
        let rendered = self.on(&node.name)?;
        let uploads = rendered.upload.iter().map(|upload| upload.to.clone());
        let files = rendered.files.iter().map(|file| file.path.clone());
        Ok(uploads.chain(files).chain(rendered.directories.iter().cloned()).chain(rendered.data.iter().cloned()).collect())
    }
}
