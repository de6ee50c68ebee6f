//! `elenchus doctor`: whether every node of a plan is ready to run it.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use elenchus_control::Command;
use elenchus_control::lab::LabNet;
use elenchus_control::system::Node;
use elenchus_nemesis::Requirement;
use futures_util::future::join_all;

use super::{Cli, Entrance, Failure, PlanArgs, exit};
use crate::events::Events;
use crate::plan::Resolved;
use crate::run::{RunError, nodes};

/// The largest clock skew between a node and the control node that is not reported, in milliseconds.
const SKEW_MS: i64 = 500;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The plan.
    #[command(flatten)]
    pub plan: PlanArgs,
}

pub(super) fn execute(cli: &Cli, args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let plan = super::resolve(&args.plan, &[])?;
    let net = match super::enter(&plan)? {
        Entrance::Ended(status) => return Ok(status),
        Entrance::Here(net) => net,
    };
    super::show_hints(cli, &plan);
    let diagnosis = super::runtime()?.block_on(diagnose(&plan, net.as_ref()))?;
    super::say(&diagnosis.text)?;
    Ok(if diagnosis.is_ready { ExitCode::SUCCESS } else { ExitCode::from(exit::COULD_NOT_RUN) })
}

struct Diagnosis {
    /// A line for each problem, or for a node that is ready.
    text: String,
    /// Whether the plan can run.
    is_ready: bool,
}

/// Connects to every node and checks what the plan requires.
///
/// # Errors
/// When the lab cannot be created.
async fn diagnose(plan: &Resolved, net: Option<&LabNet>) -> Result<Diagnosis, RunError> {
    let (nodes, _lab) = nodes::reach(plan, net, &Events::new())?;
    let (mut requirements, mut ports) = (elenchus_nemesis::requirements(&plan.nemesis), Vec::new());
    if let Some(system) = &plan.system {
        requirements.extend(system.definition().requires.commands.iter().map(|command| Requirement::command(&[command])));
        ports.extend(system.definition().requires.ports.iter().map(|port| port.to_string()));
    }
    let problems = join_all(nodes.iter().map(|node| problems(node, &requirements, &ports))).await;
    let mut text = String::new();
    for (node, problems) in nodes.iter().zip(&problems) {
        if problems.is_empty() {
            let _ = writeln!(text, "{}: ready", node.name);
        }
        for problem in problems {
            let _ = writeln!(text, "{}: {problem}", node.name);
        }
    }
    Ok(Diagnosis { text, is_ready: problems.iter().all(Vec::is_empty) })
}

/// The reasons why a node is not ready.
async fn problems(node: &Node, requirements: &[Requirement], ports: &[String]) -> Vec<String> {
    let without_name = |error: elenchus_control::ControlError| {
        let text = error.to_string();
        text.strip_prefix(&format!("{}: ", node.name)).map_or(text.clone(), str::to_owned)
    };
    let mut found = Vec::new();
    if let Err(error) = node.host.output(Command::new("true").sudo(false)).await {
        return vec![without_name(error)];
    }
    match node.host.output(Command::new("id").arg("-u")).await {
        Ok(output) if output.stdout_text() == "0" => {}
        Ok(output) => found.push(format!("commands do not run as root ({}); log in as root, or set `ssh.sudo`", output.tail())),
        Err(error) => found.push(without_name(error)),
    }
    found.extend(elenchus_nemesis::missing(std::slice::from_ref(node), requirements).await.concat());
    for port in ports {
        // /proc/net/tcp has listening sockets (state 0A) with hexadecimal ports.
        let hexadecimal = port.parse::<u16>().map_or_else(|_| port.clone(), |port| format!("{port:04X}"));
        let look = format!("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | grep -q ':{hexadecimal} [0-9A-F]*:0000 0A '");
        if node.host.run(Command::sh(&look).sudo(false)).await.is_ok() {
            found.push(format!("port {port} is in use; stop the process that listens on it"));
        }
    }
    if let Ok(output) = node.host.run(Command::new("date").arg("+%s%3N").sudo(false)).await
        && let (Ok(theirs), Ok(ours)) = (output.stdout_text().parse::<i64>(), SystemTime::now().duration_since(UNIX_EPOCH))
    {
        let skew = theirs - ours.as_millis() as i64;
        if skew.abs() > SKEW_MS {
            found.push(format!("its clock differs from the control node's by {:.1} s; synchronize it", skew as f64 / 1000.0));
        }
    }
    found
}
