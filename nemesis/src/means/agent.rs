//! The agent: a small static program that is uploaded to nodes for what a shell cannot do there.
//!
//! It is uploaded before the first fault, to a path that has its hash and that only root may write to, and removed when everything is healed. It is embedded in this
//! crate (see `build.rs`), for the machine type of the build and those whose targets were installed then.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use elenchus_control::command::quote;
use elenchus_control::system::Node;
use elenchus_control::system::daemon::AGENT;
use elenchus_control::{Command, ControlError};
use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use crate::means::remote_script::RemoteScript;
use crate::{NemesisError, Requirement};

/// The program for each machine type, as `uname -m` prints it.
const PROGRAMS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/programs.rs"));

/// How many digits of the hash are in the path.
const LETTERS: usize = 16;

/// The hash of all programs, so that the path is the same on every machine.
static HASH: LazyLock<String> = LazyLock::new(|| hash(&PROGRAMS.iter().flat_map(|(_, program)| *program).copied().collect::<Vec<u8>>()));

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Its path on nodes.
pub(crate) fn path() -> String {
    format!("{AGENT}{}", &HASH[..LETTERS])
}

/// A command line that runs it with these arguments, quoted.
pub(crate) fn order(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("{} {}", path(), words.join(" "))
}

/// A script that runs it to undo something. If it is missing, the script succeeds only if no `trace`, a path that exists until the undo, exists.
pub(crate) fn order_to_undo(words: &[&str], trace: &str) -> String {
    format!(
        "if [ -x {path} ]; then\n{order} || exit 1\n\
         elif ls -d {trace} >/dev/null 2>&1; then echo 'the agent {path} is missing, which is needed to undo this; run `elenchus heal`' >&2; exit 1\nfi\n",
        path = path(),
        order = order(words),
    )
}

/// Requires a machine type that it was built for.
pub(crate) fn requirement() -> Requirement {
    let machines: Vec<&str> = PROGRAMS.iter().map(|(machine, _)| *machine).collect();
    Requirement::test(
        format!("case $(uname -m) in {}) true;; *) false;; esac", machines.join("|")),
        format!(
            "the fault needs the agent, which was built for {}; for other machine types, add their target to the toolchain, such as `rustup target add \
             aarch64-unknown-linux-musl`, and build Elenchus again",
            machines.join(" and ")
        ),
    )
}

/// Returns the program for a node.
async fn program(node: &Node) -> Result<&'static [u8], ControlError> {
    let said = node.host.output(Command::sh("uname -m")).await?;
    let machine = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let own = PROGRAMS.iter().find(|(kind, _)| *kind == machine).or(PROGRAMS.first());
    Ok(own.map_or(&[], |(_, program)| program))
}

/// Uploads it to every node that does not have it.
///
/// # Errors
/// When a node cannot be reached or written to.
pub(crate) async fn install(nodes: &[Node]) -> Result<(), NemesisError> {
    let path = path();
    let uploads = nodes.iter().map(|node| async {
        let program = program(node).await?;
        let is_there = format!("[ -x {path} ] && [ \"$(sha256sum <{path})\" = '{}  -' ]", hash(program));
        if node.host.output(Command::sh(&is_there)).await?.status.is_success() {
            return Ok(());
        }
        node.host.write(program, &path, 0o700).await
    });
    all(join_all(uploads).await)
}

/// Uploads it to the paths at which these scripts run it, where it is missing. Scripts of another version of Elenchus have another path.
pub(crate) async fn install_for(nodes: &[Node], scripts: &[RemoteScript]) -> Result<(), NemesisError> {
    // Once to each path: concurrent uploads to one path would interfere.
    let places: BTreeSet<(&str, &str)> =
        scripts.iter().filter_map(|script| Some((script.node.as_str(), mentioned(&script.script)?))).collect();
    let uploads = places.into_iter().filter_map(|(name, path)| {
        let node = nodes.iter().find(|node| node.name == name)?;
        Some(async move {
            let is_there = format!("[ -x {path} ]");
            if node.host.output(Command::sh(&is_there)).await?.status.is_success() {
                return Ok(());
            }
            node.host.write(program(node).await?, path, 0o700).await
        })
    });
    all(join_all(uploads).await)
}

/// A script that removes every version of it.
pub(crate) fn remove() -> String {
    format!(": remove the agent\nrm -f {AGENT}*\nrmdir /var/lib/elenchus 2>/dev/null\n:\n")
}

/// The path at which a script runs it, if it does.
fn mentioned(script: &str) -> Option<&str> {
    let start = script.find(AGENT)?;
    let end = start + AGENT.len() + LETTERS;
    script.get(start..end).filter(|path| path[AGENT.len()..].bytes().all(|letter| letter.is_ascii_hexdigit()))
}

fn all(outcomes: Vec<Result<(), ControlError>>) -> Result<(), NemesisError> {
    let failures: Vec<ControlError> = outcomes.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(NemesisError::Nodes(failures)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_an_executable_and_found_in_scripts() {
        for (machine, program) in PROGRAMS {
            // The machine type in the ELF header.
            let kind = u16::from_le_bytes([program[18], program[19]]);
            assert_eq!((&program[..4], kind), (&b"\x7fELF"[..], if *machine == "aarch64" { 183 } else { 62 }));
        }
        assert_eq!(mentioned(&order_to_undo(&["clock", "end", "7"], "/run/x")), Some(path().as_str()));
        assert_eq!(mentioned("rm -f /tmp/x"), None);
        assert_eq!(mentioned(&format!("{AGENT}x")), None);
        assert_eq!(order(&["a b", "$(c)"]), format!("{} 'a b' '$(c)'", path()));
    }
}
