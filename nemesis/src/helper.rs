//! The helper: a small static program of ours that is uploaded to nodes for what a shell cannot do there.
//!
//! It is uploaded before the first fault, to a place named for its content that only root may write to, and removed when all is healed. It is carried in this
//! crate (see `build.rs`), for machines of the kind that this was built on.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use elenchus_control::command::quote;
use elenchus_control::system::Node;
use elenchus_control::{Command, ControlError};
use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use crate::errand::Errand;
use crate::{NemesisError, Requirement};

/// The program.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/elenchus-helper"));

/// The kind of machine it runs on, as `uname -m` says it.
const MACHINE: &str = env!("ELENCHUS_HELPER_MACHINE");

/// What its place begins with. Not below `/run` and `/tmp`, from where many nodes run no programs; nor where others than root could put something in its place.
const PLACE: &str = "/var/lib/elenchus/helper-";

/// How many letters of its hash are in its place's name.
const LETTERS: usize = 16;

static HASH: LazyLock<String> = LazyLock::new(|| Sha256::digest(PROGRAM).iter().map(|byte| format!("{byte:02x}")).collect());

/// Where it is on nodes.
pub(crate) fn path() -> String {
    format!("{PLACE}{}", &HASH[..LETTERS])
}

/// A command line that gives it an order. Nothing in the words means anything to the shell.
pub(crate) fn order(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("{} {}", path(), words.join(" "))
}

/// A script that gives it an order to undo something, of which there is a trace as long as it is to be undone. Without a trace it may be missing.
pub(crate) fn order_to_undo(words: &[&str], trace: &str) -> String {
    format!(
        "if [ -x {path} ]; then\n{order} || exit 1\n\
         elif ls -d {trace} >/dev/null 2>&1; then echo '{path} is missing, which is needed to undo this; `elenchus heal` brings it' >&2; exit 1\nfi\n",
        path = path(),
        order = order(words),
    )
}

/// That a node is a machine on which it runs.
pub(crate) fn requirement() -> Requirement {
    Requirement::test(
        format!("[ \"$(uname -m)\" = {MACHINE} ]"),
        format!("the fault needs the helper, which was built for {MACHINE}; drive nodes of another kind from a control node of that kind"),
    )
}

/// Uploads it to all nodes that do not have it.
///
/// # Errors
/// When a node cannot be reached or written to.
pub(crate) async fn install(nodes: &[Node]) -> Result<(), NemesisError> {
    let path = path();
    let uploads = nodes.iter().map(|node| async {
        let is_there = format!("[ -x {path} ] && [ \"$(sha256sum <{path})\" = '{}  -' ]", *HASH);
        if node.host.output(Command::sh(&is_there)).await?.status.is_success() {
            return Ok(());
        }
        upload(node, &path).await
    });
    all(join_all(uploads).await)
}

/// Uploads it to where these errands look for it, if it is not there any more. An errand of another version of this program looks elsewhere.
pub(crate) async fn install_for(nodes: &[Node], errands: &[Errand]) -> Result<(), NemesisError> {
    // Once to each place: two that upload to the same one stand in each other's way.
    let places: BTreeSet<(&str, &str)> =
        errands.iter().filter_map(|errand| Some((errand.node.as_str(), mentioned(&errand.script)?))).collect();
    let uploads = places.into_iter().filter_map(|(name, path)| {
        let node = nodes.iter().find(|node| node.name == name)?;
        Some(async move {
            let is_there = format!("[ -x {path} ]");
            if node.host.output(Command::sh(&is_there)).await?.status.is_success() { Ok(()) } else { upload(node, path).await }
        })
    });
    all(join_all(uploads).await)
}

/// A script that removes it, of any version.
pub(crate) fn remove() -> String {
    format!(": remove the helper\nrm -f {PLACE}*\nrmdir /var/lib/elenchus 2>/dev/null\n:\n")
}

async fn upload(node: &Node, path: &str) -> Result<(), ControlError> {
    node.host.write(PROGRAM, path, 0o700).await
}

/// Where a script looks for it, if it does.
fn mentioned(script: &str) -> Option<&str> {
    let start = script.find(PLACE)?;
    let end = start + PLACE.len() + LETTERS;
    script.get(start..end).filter(|path| path[PLACE.len()..].bytes().all(|letter| letter.is_ascii_hexdigit()))
}

fn all(outcomes: Vec<Result<(), ControlError>>) -> Result<(), NemesisError> {
    let failures: Vec<ControlError> = outcomes.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() { Ok(()) } else { Err(NemesisError::Nodes(failures)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_program_and_found_in_scripts() {
        assert_eq!(&PROGRAM[..4], b"\x7fELF");
        assert_eq!(mentioned(&order_to_undo(&["clock", "end", "7"], "/run/x")), Some(path().as_str()));
        assert_eq!(mentioned("rm -f /tmp/x"), None);
        assert_eq!(mentioned(&format!("{PLACE}x")), None);
        assert_eq!(order(&["a b", "$(c)"]), format!("{} 'a b' '$(c)'", path()));
    }
}
