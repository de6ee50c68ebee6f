//! What is missing before a plan can run, node by node.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use elenchus_control::Command;
use elenchus_control::lab::LabNet;
use elenchus_control::system::Node;
use elenchus_nemesis::Requirement;
use futures_util::future::join_all;

use crate::plan::Resolved;
use crate::run::{RunError, nodes};

/// The largest difference between a node's clock and the control node's that is not worth a word: 0.5 s.
const SKEW_MS: i64 = 500;

/// What was found.
pub struct Found {
    /// A line for each thing, node by node.
    pub text: String,
    /// Whether the plan can run.
    pub is_healthy: bool,
}

/// Connects to every node and looks for what the plan needs.
///
/// # Errors
/// When the lab cannot be made, or the system's definition makes no sense.
pub async fn examine(plan: &Resolved, net: Option<&LabNet>) -> Result<Found, RunError> {
    let (nodes, _lab) = nodes::reach(plan, net)?;
    let system = nodes::system(plan, &nodes)?;
    let (mut requirements, mut ports) = (elenchus_nemesis::requirements(&plan.nemesis), Vec::new());
    if let Some(system) = &system {
        requirements.extend(system.definition().requires.commands.iter().map(|command| Requirement::command(&[command])));
        ports.extend(system.definition().requires.ports.iter().map(|port| port.to_string()));
    }
    let complaints = join_all(nodes.iter().map(|node| complaints(node, &requirements, &ports))).await;
    let mut text = String::new();
    for (node, complaints) in nodes.iter().zip(&complaints) {
        if complaints.is_empty() {
            let _ = writeln!(text, "{}: ready", node.name);
        }
        for complaint in complaints {
            let _ = writeln!(text, "{}: {complaint}", node.name);
        }
    }
    Ok(Found { text, is_healthy: complaints.iter().all(Vec::is_empty) })
}

/// What is wrong with a node.
async fn complaints(node: &Node, requirements: &[Requirement], ports: &[String]) -> Vec<String> {
    let told = |error: elenchus_control::ControlError| {
        let text = error.to_string();
        text.strip_prefix(&format!("{}: ", node.name)).map_or(text.clone(), str::to_owned)
    };
    let mut found = Vec::new();
    if let Err(error) = node.host.output(Command::new("true").sudo(false)).await {
        return vec![told(error)];
    }
    match node.host.output(Command::new("id").arg("-u")).await {
        Ok(output) if output.stdout_text() == "0" => {}
        Ok(output) => found.push(format!("commands do not run as root ({}); log in as root, or set `ssh.sudo`", output.last_words())),
        Err(error) => found.push(told(error)),
    }
    found.extend(elenchus_nemesis::missing(std::slice::from_ref(node), requirements).await.concat());
    for port in ports {
        // /proc/net/tcp lists listening sockets (state 0A) by hexadecimal port.
        let hexadecimal = port.parse::<u16>().map_or_else(|_| port.clone(), |port| format!("{port:04X}"));
        let look = format!("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':{hexadecimal} [0-9A-F]*:0000 0A '");
        if node.host.run(Command::sh(&look).sudo(false)).await.is_ok() {
            found.push(format!("port {port} is in use; stop what listens there"));
        }
    }
    if let Ok(output) = node.host.run(Command::new("date").arg("+%s%3N").sudo(false)).await
        && let (Ok(theirs), Ok(ours)) = (output.stdout_text().parse::<i64>(), SystemTime::now().duration_since(UNIX_EPOCH))
    {
        let skew = theirs - ours.as_millis() as i64;
        if skew.abs() > SKEW_MS {
            found.push(format!("its clock is {:.1} s off the control node's; synchronize it", skew as f64 / 1000.0));
        }
    }
    found
}
