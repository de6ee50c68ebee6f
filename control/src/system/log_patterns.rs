//! Searching fetched logs for the definition's patterns.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::{Definition, LogPattern, SystemError};

/// A log line that matches a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFinding {
    /// The name of the pattern.
    pub name: String,
    /// The node whose log it is in.
    pub node: String,
    /// The fetched file.
    pub file: PathBuf,
    /// The line number, from 1.
    pub line: u64,
    /// The line, truncated to 400 characters.
    pub text: String,
}

/// The limit of findings per pattern and file: a panic in a loop can fill a log.
const FINDINGS: usize = 20;
/// The limit of a finding's text, in characters.
const TEXT_LIMIT: usize = 400;

/// The compiled patterns of a definition.
#[derive(Debug)]
pub struct LogPatterns(Vec<(String, Regex)>);

impl LogPatterns {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// When a pattern is not a valid regular expression.
    pub fn new(definition: &Definition) -> Result<LogPatterns, SystemError> {
        let compile = |(at, pattern): (usize, &LogPattern)| {
            let regex = Regex::new(&pattern.pattern).map_err(|error| SystemError::Definition {
                system: definition.name.clone(),
                message: format!("log_patterns[{at}].pattern: {error}"),
            })?;
            Ok((pattern.name.clone(), regex))
        };
        definition.log_patterns.iter().enumerate().map(compile).collect::<Result<_, _>>().map(LogPatterns)
    }

    /// Searches the logs that [`System::fetch_logs`](super::System::fetch_logs) stored in a folder, with a folder per node.
    pub fn search(&self, folder: &Path) -> Result<Vec<LogFinding>, SystemError> {
        let mut found = Vec::new();
        for node in entries(folder)? {
            let name = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for file in if node.is_dir() { entries(&node)? } else { Vec::new() } {
                self.search_file(&name, &file, &mut found)?;
            }
        }
        Ok(found)
    }

    fn search_file(&self, node: &str, file: &Path, found: &mut Vec<LogFinding>) -> Result<(), SystemError> {
        let io = |source| SystemError::Io { path: file.to_owned(), source };
        let mut reader = std::io::BufReader::new(std::fs::File::open(file).map_err(io)?);
        let (mut line, mut bytes, mut counts) = (0, Vec::new(), vec![0; self.0.len()]);
        while reader.read_until(b'\n', &mut bytes).map_err(io)? > 0 {
            line += 1;
            let text = String::from_utf8_lossy(&bytes);
            for ((name, regex), count) in self.0.iter().zip(&mut counts) {
                if *count < FINDINGS && regex.is_match(&text) {
                    *count += 1;
                    let text = text.trim_end().chars().take(TEXT_LIMIT).collect();
                    found.push(LogFinding { name: name.clone(), node: node.to_owned(), file: file.to_owned(), line, text });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_have_node_and_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("n2")).unwrap();
        std::fs::write(folder.path().join("n2/s.log"), b"fine\n\xff panic: boom\nfine\n").unwrap();
        let log_patterns = vec![LogPattern { name: "panic".into(), pattern: "panic:".into() }];
        let found = LogPatterns::new(&Definition { log_patterns, ..Definition::default() }).unwrap().search(folder.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].node.as_str(), found[0].line), ("n2", 2));
    }
}
