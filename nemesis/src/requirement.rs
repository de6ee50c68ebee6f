//! What a fault needs of a node, looked for before anything is broken.

use elenchus_control::Command;
use elenchus_control::command::quote;
use elenchus_control::system::Node;
use futures_util::future::join_all;

use crate::Scheduled;
use crate::errand::PATH;

/// Something that a node must have or be able to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// A script for `sh`, as root, that succeeds where it is met, and changes nothing.
    pub test: String,
    /// What to say where it is not: what is missing and what to do.
    pub advice: String,
}

impl Requirement {
    /// One of these commands, the first preferably.
    pub fn command(any: &[&str]) -> Requirement {
        let looks: Vec<String> = any.iter().map(|command| format!("command -v {}", quote(command))).collect();
        let advice = match any {
            [one] => format!("the command `{one}` is missing; install it"),
            any => format!("of the commands `{}` one is needed; install the first", any.join("`, `")),
        };
        Requirement { test: looks.join(" || "), advice }
    }

    /// What a script tells.
    pub fn test(script: impl Into<String>, advice: impl Into<String>) -> Requirement {
        Requirement { test: script.into(), advice: advice.into() }
    }
}

/// What these lines need of every node, once each.
pub fn of(lines: &[Scheduled]) -> Vec<Requirement> {
    let mut all: Vec<Requirement> = lines.iter().flat_map(Scheduled::faults).flat_map(|(fault, _)| fault.requirements()).collect();
    if !lines.is_empty() {
        // Every fault has a switch that heals it on the node.
        all.push(Requirement::command(&["setsid"]));
    }
    all.sort();
    all.dedup();
    all
}

/// What is to be tried on every node with the helper, once each.
pub(crate) fn trials(lines: &[Scheduled]) -> Vec<Requirement> {
    let mut all: Vec<Requirement> = lines.iter().flat_map(Scheduled::faults).filter_map(|(fault, _)| fault.trial()).collect();
    all.sort();
    all.dedup();
    all
}

/// A test that cleans up after itself even when whoever asked is gone meanwhile: what it tries is not to stay.
fn to_its_end(test: &str) -> String {
    let test = quote(&format!("{PATH}{test}"));
    format!("{PATH}if command -v setsid >/dev/null; then setsid sh -c {test} </dev/null & wait $!; else sh -c {test}; fi")
}

/// What is missing on each node, in words, in their order. A node that cannot be asked is said to be so.
pub async fn missing(nodes: &[Node], requirements: &[Requirement]) -> Vec<Vec<String>> {
    join_all(nodes.iter().map(|node| async move {
        let tests = requirements.iter().map(|requirement| node.host.output(Command::sh(&to_its_end(&requirement.test))));
        let outcomes = join_all(tests).await.into_iter().zip(requirements);
        outcomes
            .filter_map(|(outcome, requirement)| match outcome {
                Ok(output) if output.status.is_success() => None,
                Ok(_) => Some(requirement.advice.clone()),
                Err(error) => Some(error.to_string()),
            })
            .collect()
    }))
    .await
}
