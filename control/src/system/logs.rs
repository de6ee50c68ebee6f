//! The system's own logs: fetched after every run, and searched for what means trouble.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::runtime::failed;
use super::{Definition, Node, System, SystemError};
use crate::command::{Command, quote};

/// A line that means trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What it means, in the definition's words.
    pub name: String,
    /// The node whose log it is in.
    pub node: String,
    /// The file, as fetched.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: u64,
    /// What it says, cut to a readable length.
    pub text: String,
}

/// At most so many findings per pattern and file: a panic in a loop fills logs.
const FINDINGS: usize = 20;
const READABLE: usize = 400;

/// The patterns of a definition, compiled.
#[derive(Debug)]
pub struct Troubles(Vec<(String, Regex)>);

impl Troubles {
    /// Compiles them; an invalid one is the definition's error.
    pub fn new(definition: &Definition) -> Result<Troubles, SystemError> {
        let compile = |(at, trouble): (usize, &super::LogPattern)| {
            let regex = Regex::new(&trouble.pattern).map_err(|error| SystemError::Definition {
                system: definition.name.clone(),
                message: format!("troubles[{at}].pattern: {error}"),
            })?;
            Ok((trouble.name.clone(), regex))
        };
        definition.troubles.iter().enumerate().map(compile).collect::<Result<_, _>>().map(Troubles)
    }

    /// Searches the logs under a folder that [`System::fetch_logs`] filled: one folder per node.
    pub fn search(&self, folder: &Path) -> Result<Vec<Trouble>, SystemError> {
        let mut found = Vec::new();
        for node in entries(folder)? {
            let name = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for file in if node.is_dir() { entries(&node)? } else { Vec::new() } {
                self.search_file(&name, &file, &mut found)?;
            }
        }
        Ok(found)
    }

    fn search_file(&self, node: &str, file: &Path, found: &mut Vec<Trouble>) -> Result<(), SystemError> {
        let io = |source| SystemError::Io { path: file.to_owned(), source };
        let mut reader = std::io::BufReader::new(std::fs::File::open(file).map_err(io)?);
        let (mut line, mut bytes, mut counts) = (0, Vec::new(), vec![0; self.0.len()]);
        while reader.read_until(b'\n', &mut bytes).map_err(io)? > 0 {
            line += 1;
            let text = String::from_utf8_lossy(&bytes);
            for ((name, regex), count) in self.0.iter().zip(&mut counts) {
                if *count < FINDINGS && regex.is_match(&text) {
                    *count += 1;
                    let text = text.trim_end().chars().take(READABLE).collect();
                    found.push(Trouble { name: name.clone(), node: node.to_owned(), file: file.to_owned(), line, text });
                }
            }
            bytes.clear();
        }
        Ok(())
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, SystemError> {
    let io = |source| SystemError::Io { path: folder.to_owned(), source };
    let listed = std::fs::read_dir(folder).map_err(io)?.map(|entry| Ok(entry?.path()));
    let mut paths = listed.collect::<Result<Vec<_>, _>>().map_err(io)?;
    paths.sort();
    Ok(paths)
}

impl System {
    /// Fetches what it printed and its log files into `folder/<node>/`, and returns where they are now. Logs that were never written are left out.
    pub async fn fetch_logs(&self, node: &Node, folder: &Path) -> Result<Vec<PathBuf>, SystemError> {
        let rendered = self.on(&node.name)?;
        // Wildcards are for the node's shell to resolve, everything else in the path is literal.
        let patterns = std::iter::once(quote(&rendered.daemon.log())).chain(rendered.logs.iter().map(|path| glob(path)));
        let script = format!("for file in {}; do [ ! -f \"$file\" ] || echo \"$file\"; done", patterns.collect::<Vec<_>>().join(" "));
        let listed = self.step(node, "list logs", Command::sh(&script)).await?.stdout_text();
        let here = folder.join(&node.name);
        tokio::fs::create_dir_all(&here).await.map_err(|source| SystemError::Io { path: here.clone(), source })?;
        let mut fetched = Vec::new();
        for remote in listed.lines() {
            let local = free_name(&here, remote, &fetched);
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

/// Two logs of one name get the folder they came from in front.
fn free_name(here: &Path, remote: &str, taken: &[PathBuf]) -> PathBuf {
    let short = here.join(remote.rsplit('/').next().unwrap_or("log"));
    if taken.contains(&short) { here.join(remote.trim_start_matches('/').replace('/', "-")) } else { short }
}

#[cfg(test)]
mod tests {
    use super::super::LogPattern;
    use super::*;

    #[test]
    fn troubles_are_found_with_node_and_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("n2")).unwrap();
        std::fs::write(folder.path().join("n2/s.log"), b"fine\n\xff panic: boom\nfine\n").unwrap();
        let troubles = vec![LogPattern { name: "panic".into(), pattern: "panic:".into() }];
        let found = Troubles::new(&Definition { troubles, ..Definition::default() }).unwrap().search(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].node.as_str(), found[0].line), ("n2", 2));
    }

    #[test]
    fn wildcards_stay_bare() {
        let (before, after) = glob("/var/my log/*.log").split_once('*').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!((before, after), (quote("/var/my log/"), quote(".log")));
    }
}
