//! Fetching the system's logs.

use std::path::{Path, PathBuf};

use super::runtime::failed;
use super::{Node, System, SystemError};
use crate::command::{Command, quote};

impl System {
    /// Fetches the system's output and its log files into `folder/<node>/`, and returns their paths there. Logs that do not exist are skipped.
    pub async fn fetch_logs(&self, node: &Node, folder: &Path) -> Result<Vec<PathBuf>, SystemError> {
        let rendered = self.on(&node.name)?;
        // The node's shell expands wildcards; everything else in a path is literal.
        let patterns = std::iter::once(quote(&rendered.daemon.log())).chain(rendered.logs.iter().map(|path| glob(path)));
        let script = format!("for file in {}; do [ ! -f \"$file\" ] || echo \"$file\"; done", patterns.collect::<Vec<_>>().join(" "));
        let listed = self.step(node, "list the logs", Command::sh(&script)).await?.stdout_text();
        let here = folder.join(&node.name);
        tokio::fs::create_dir_all(&here).await.map_err(|source| SystemError::Io { path: here.clone(), source })?;
        let mut fetched = Vec::new();
        for remote in listed.lines() {
            let local = unique_path(&here, remote, &fetched);
            node.host.download(remote, &local, |_, _| {}).await.map_err(failed(node, &format!("fetch {remote}")))?;
            fetched.push(local);
        }
        Ok(fetched)
    }
}

fn glob(path: &str) -> String {
    path.split_inclusive(['*', '?'])
        .map(|part| match part.strip_suffix(['*', '?']) {
            Some(literal) => format!("{}{}", quote(literal), &part[literal.len()..]),
            None => quote(part),
        })
        .collect()
}

/// Prefixes the remote folder to a file name that is taken.
fn unique_path(here: &Path, remote: &str, taken: &[PathBuf]) -> PathBuf {
    let short = here.join(remote.rsplit('/').next().unwrap_or("log"));
    if taken.contains(&short) { here.join(remote.trim_start_matches('/').replace('/', "-")) } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_not_quoted() {
        let (before, after) = glob("/var/my log/*.log").split_once('*').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!((before, after), (quote("/var/my log/"), quote(".log")));
    }
}
