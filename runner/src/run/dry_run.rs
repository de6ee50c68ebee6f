//! The actions of a run, printed by `--dry-run`.

use std::fmt::Write as _;

use elenchus_core::Seed;
use elenchus_nemesis::{Decision, Start};

use super::error::RunError;
use crate::plan::Resolved;

/// The steps on every node, the load, and the faults that this seed selects.
///
/// # Errors
/// When the system's definition has no steps for a node.
pub fn describe(plan: &Resolved, seed: u64) -> Result<String, RunError> {
    let mut text = format!("{}: seed {seed}\n", plan.name);
    let made_of = if plan.lab.is_some() { " (lab)" } else { "" };
    let _ = writeln!(text, "\nnodes{made_of}:");
    for node in &plan.nodes {
        let _ = writeln!(text, "  {} at {}", node.name, node.address);
    }
    if let Some(system) = &plan.system {
        for node in &plan.nodes {
            let _ = writeln!(text, "\non {}:", node.name);
            steps(system.on(&node.name)?, &mut text);
        }
    }
    let rate = plan.rate_hz.map_or("unlimited rate".to_owned(), |rate| format!("{rate} operations/s"));
    let _ = writeln!(
        text,
        "\nload: {} clients for {}, workload {}, {rate}, time-out {}",
        plan.concurrency, plan.duration, plan.workload_name, plan.timeout
    );
    let limit = plan.fault_schedule(Seed(seed)).end().min(plan.duration.0);
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
        let _ = writeln!(text, "  {when}  {}: {}", fault.fault, target(&fault.decision));
    }
    Ok(text)
}

fn steps(todo: &elenchus_control::system::Rendered, text: &mut String) {
    let mut line = |step: &str, of: &str| {
        let _ = writeln!(text, "  {step:<8} {}", of.split_whitespace().collect::<Vec<_>>().join(" "));
    };
    todo.install_unless.iter().for_each(|test| line("install", &format!("unless {test}")));
    todo.upload.iter().for_each(|upload| line("upload", &format!("{} to {}", upload.from, upload.to)));
    todo.data.iter().for_each(|path| line("empty", path));
    todo.directories.iter().for_each(|path| line("create", path));
    todo.files.iter().for_each(|file| line("write", &file.path));
    line("start", &todo.daemon.command);
    todo.ready.iter().for_each(|check| line("await", check));
}

fn target(decision: &Decision) -> &str {
    match decision {
        Decision::Injection(injection) => &injection.description,
        Decision::Primaries { .. } => "the primary at that time",
    }
}
