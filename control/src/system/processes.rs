//! The system's processes on a node, and its primary.

use std::time::Duration;

use futures_util::future::join_all;

use super::daemon::{Daemon, Member};
use super::runtime::failed;
use super::{Node, System, SystemError};
use crate::command::{Command, Output};

impl System {
    /// Stops the system by its signal, and kills it after the grace period. Succeeds when it is not running.
    pub async fn stop(&self, node: &Node) -> Result<(), SystemError> {
        let script = self.on(&node.name)?.daemon.stop(&self.definition.stop);
        let limit = Daemon::stop_limit(&self.definition.stop).0;
        self.step(node, &format!("stop `{}`", self.definition.name), Command::sh(&script).timeout(limit)).await.map(drop)
    }

    /// Kills the system with its children, and returns their pids.
    pub async fn kill(&self, node: &Node) -> Result<Vec<u32>, SystemError> {
        let script = self.on(&node.name)?.daemon.kill();
        Ok(pids(&self.step(node, &format!("kill `{}`", self.definition.name), Command::sh(&script)).await?))
    }

    /// Stops all its processes with SIGSTOP, and returns their pids.
    pub async fn pause(&self, node: &Node) -> Result<Vec<u32>, SystemError> {
        let script = self.on(&node.name)?.daemon.pause();
        Ok(pids(&self.step(node, &format!("pause `{}`", self.definition.name), Command::sh(&script)).await?))
    }

    /// Continues all its processes with SIGCONT, and returns their pids.
    pub async fn resume(&self, node: &Node) -> Result<Vec<u32>, SystemError> {
        let script = self.on(&node.name)?.daemon.resume();
        Ok(pids(&self.step(node, &format!("resume `{}`", self.definition.name), Command::sh(&script)).await?))
    }

    /// The system's processes on a node, with their states.
    pub async fn processes(&self, node: &Node) -> Result<Vec<Member>, SystemError> {
        let script = self.on(&node.name)?.daemon.members();
        let output = self.step(node, &format!("list the processes of `{}`", self.definition.name), Command::sh(&script)).await?;
        Ok(Member::parse(&output.stdout_text()))
    }

    /// Whether any of its processes exists.
    pub async fn is_running(&self, node: &Node) -> Result<bool, SystemError> {
        Ok(!self.processes(node).await?.is_empty())
    }

    /// The primary's name as this node sees it; `None` if it sees none.
    pub async fn primary(&self, node: &Node) -> Result<Option<String>, SystemError> {
        let Some(command) = &self.on(&node.name)?.primary else { return Ok(None) };
        // Including the time to connect: a node that is down must not delay the run.
        let asked = node.host.run_within_timeout(Command::sh(command).timeout(Duration::from_secs(5))).await;
        let output = asked.map_err(failed(node, "ask for the primary"))?;
        let answer = output.stdout_text();
        if self.rendered.contains_key(&answer) {
            return Ok(Some(answer));
        }
        Ok(self.names_by_address.get(&answer).cloned())
    }

    /// The names that the answering nodes report as primary. More than one can mean split brain.
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
