//! The system's processes on a node: who they are, what can be done to them, and who of them leads.

use std::time::Duration;

use futures_util::future::join_all;

use super::daemon::{Daemon, Member};
use super::runtime::failed;
use super::{Node, System, SystemError};
use crate::command::{Command, Output};

impl System {
    /// Asks it to end, and kills it when it has not within the grace. Succeeds when it did not run.
    pub async fn stop(&self, node: &Node) -> Result<(), SystemError> {
        let script = self.on(&node.name)?.daemon.stop(&self.definition.stop);
        let limit = Daemon::stop_limit(&self.definition.stop).0;
        self.step(node, &format!("stop `{}`", self.definition.name), Command::sh(&script).timeout(limit)).await.map(drop)
    }

    /// Kills it and all its children, and returns who they were.
    pub async fn kill(&self, node: &Node) -> Result<Vec<u32>, SystemError> {
        let script = self.on(&node.name)?.daemon.kill();
        Ok(pids(&self.step(node, &format!("kill `{}`", self.definition.name), Command::sh(&script)).await?))
    }

    /// Stops all its processes with SIGSTOP, and returns who they were.
    pub async fn pause(&self, node: &Node) -> Result<Vec<u32>, SystemError> {
        let script = self.on(&node.name)?.daemon.pause();
        Ok(pids(&self.step(node, &format!("pause `{}`", self.definition.name), Command::sh(&script)).await?))
    }

    /// Lets all its processes go on, and returns who they are.
    pub async fn resume(&self, node: &Node) -> Result<Vec<u32>, SystemError> {
        let script = self.on(&node.name)?.daemon.resume();
        Ok(pids(&self.step(node, &format!("resume `{}`", self.definition.name), Command::sh(&script)).await?))
    }

    /// Its processes on a node, with their states.
    pub async fn processes(&self, node: &Node) -> Result<Vec<Member>, SystemError> {
        let script = self.on(&node.name)?.daemon.members();
        let output = self.step(node, &format!("look for processes of `{}`", self.definition.name), Command::sh(&script)).await?;
        Ok(Member::parse(&output.stdout_text()))
    }

    /// Whether any of its processes is there.
    pub async fn is_running(&self, node: &Node) -> Result<bool, SystemError> {
        Ok(!self.processes(node).await?.is_empty())
    }

    /// The primary's name as this node sees it, if it sees one.
    pub async fn primary(&self, node: &Node) -> Result<Option<String>, SystemError> {
        let Some(command) = &self.on(&node.name)?.primary else { return Ok(None) };
        // A node that is down is not waited for.
        let asked = node.host.run_soon(Command::sh(command).timeout(Duration::from_secs(5))).await;
        let output = asked.map_err(failed(node, "ask for the primary"))?;
        let said = output.stdout_text();
        if self.rendered.contains_key(&said) {
            return Ok(Some(said));
        }
        Ok(self.names_by_address.get(&said).cloned())
    }

    /// Everyone whom some node that answers sees as primary. More than one name is a finding in itself.
    pub async fn primaries(&self, nodes: &[Node]) -> Vec<String> {
        let seen = join_all(nodes.iter().map(|node| self.primary(node))).await;
        let mut names: Vec<String> = seen.into_iter().filter_map(|answer| answer.ok().flatten()).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn pids(output: &Output) -> Vec<u32> {
    output.stdout_text().lines().filter_map(|line| line.trim().parse().ok()).collect()
}
