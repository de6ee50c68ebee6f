//! Requirements of a fault on a node, tested before anything is injected.

use elenchus_control::Command;
use elenchus_control::command::quote;
use elenchus_control::system::Node;
use futures_util::future::join_all;

use crate::means::remote_script::PATH;

/// Something that a node must have or be able to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// A script for `sh`, run as root, that succeeds where the requirement is met. It changes nothing that lasts.
    pub test: String,
    /// The message where it is not met: what is missing and what to do.
    pub advice: String,
    /// Whether the test runs the agent, so that it must be uploaded first.
    pub by_agent: bool,
}

impl Requirement {
    /// Requires one of these commands, the first preferably.
    pub fn command(any: &[&str]) -> Requirement {
        let looks: Vec<String> = any.iter().map(|command| format!("command -v {}", quote(command))).collect();
        let advice = match any {
            [one] => format!("the command `{one}` is missing; install it"),
            any => format!("one of the commands `{}` is needed; install the first", any.join("`, `")),
        };
        Requirement::test(looks.join(" || "), advice)
    }

    /// Requires each of these commands.
    pub(crate) fn commands(all: &[&str]) -> Vec<Requirement> {
        all.iter().map(|command| Requirement::command(&[command])).collect()
    }

    /// Requires that a script succeeds.
    pub fn test(script: impl Into<String>, advice: impl Into<String>) -> Requirement {
        Requirement { test: script.into(), advice: advice.into(), by_agent: false }
    }

    /// Requires that a script that runs the agent succeeds.
    pub(crate) fn trial(script: impl Into<String>, advice: impl Into<String>) -> Requirement {
        Requirement { by_agent: true, ..Requirement::test(script, advice) }
    }
}

/// Returns a test that runs to its end, and so cleans up, even when the connection is lost meanwhile.
fn to_its_end(test: &str) -> String {
    let test = quote(&format!("{PATH}{test}"));
    format!("{PATH}if command -v setsid >/dev/null; then setsid sh -c {test} </dev/null & wait $!; else sh -c {test}; fi")
}

/// Returns, for each node in order, a message for each requirement that it does not meet, or that could not be tested.
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
