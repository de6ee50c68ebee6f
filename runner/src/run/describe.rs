//! What a run would do, for `--dry-run`.

use std::fmt::Write as _;

use elenchus_core::Seed;
use elenchus_nemesis::{Decision, Start};

use super::{RunError, nodes};
use crate::plan::Resolved;

/// The plan's steps, node by node, and the faults that this seed decides.
///
/// # Errors
/// When the system's definition makes no sense.
pub fn describe(plan: &Resolved, seed: u64) -> Result<String, RunError> {
    let mut text = format!("{}: seed {seed}\n", plan.name);
    let made_of = if plan.lab.is_some() { " of a lab" } else { "" };
    let _ = writeln!(text, "\nnodes{made_of}:");
    let mut reached = Vec::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        // A lab's addresses are known beforehand.
        let address = node.address.clone().unwrap_or_else(|| format!("10.77.0.{}", at + 1));
        let _ = writeln!(text, "  {} at {address}", node.name);
        let config = node.host.clone().unwrap_or_else(|| elenchus_control::config::HostConfig::new(&address));
        reached.push(nodes::node(&node.name, &address, config));
    }
    if let Some(system) = nodes::system(plan, &reached)? {
        for node in &reached {
            let _ = writeln!(text, "\non {}:", node.name);
            steps(system.on(&node.name)?, &mut text);
        }
    }
    let rate = plan.rate_hz.map_or("as fast as they can".to_owned(), |rate| format!("{rate} operations a second"));
    let _ = writeln!(
        text,
        "\nclients: {} of them for {}, workload {}, {rate}, each operation at most {}",
        plan.concurrency,
        plan.duration,
        plan.workload.name(),
        plan.timeout
    );
    let limit = plan.campaign(Seed(seed)).end().min(plan.duration.0);
    let faults = elenchus_nemesis::plan(&plan.nemesis, &plan.safety, &plan.roster, Seed(seed), limit);
    let _ = writeln!(text, "\nfaults: {}", faults.len());
    for fault in faults {
        let when = match fault.start {
            Start::At(at) => {
                let until = at.saturating_add(fault.lasting).min(limit);
                format!("{:>7.1} s to {:>7.1} s", at.as_secs_f64(), until.as_secs_f64())
            }
            Start::PrimaryChanges => format!("each time the primary changes, for {:.1} s", fault.lasting.as_secs_f64()),
            Start::AfterOperations(count) => format!("after {count} operations, for {:.1} s", fault.lasting.as_secs_f64()),
        };
        let _ = writeln!(text, "  {when}  {}: {}", fault.fault, decision(&fault.decision));
    }
    Ok(text)
}

fn steps(todo: &elenchus_control::system::Rendered, text: &mut String) {
    let mut say = |what: &str, of: &str| {
        let _ = writeln!(text, "  {what:<8} {}", of.split_whitespace().collect::<Vec<_>>().join(" "));
    };
    todo.install_unless.iter().for_each(|test| say("install", &format!("unless {test}")));
    todo.upload.iter().for_each(|upload| say("upload", &format!("{} to {}", upload.from, upload.to)));
    todo.data.iter().for_each(|path| say("empty", path));
    todo.directories.iter().for_each(|path| say("create", path));
    todo.files.iter().for_each(|file| say("write", &file.path));
    say("start", &todo.daemon.command);
    todo.ready.iter().for_each(|check| say("await", check));
}

fn decision(decision: &Decision) -> &str {
    match decision {
        Decision::Injection(injection) => &injection.description,
        Decision::Primaries { .. } => "targets depend on the primary at that time",
    }
}
