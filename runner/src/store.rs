//! The store: the directory `store/<name>/<time>/` of each run, and a link `latest` to the newest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use elenchus_core::History;
use elenchus_core::exchange::{self, ReadError, ReadOptions, Skipped};
use thiserror::Error;

/// Why the store could not be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// An I/O error.
    #[error("{path}: {source}; the store must be a directory that you can write to (`--store DIR` selects another)")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
}

/// One run's directory.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Creates the directory of a new run, and points `latest` to it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(store: &Path, name: &str, started: SystemTime) -> Result<RunDir, StoreError> {
        let runs = store.join(file_name(name));
        let stamp = humantime::format_rfc3339_millis(started).to_string().replace(':', "");
        let path = runs.join(&stamp);
        fs::create_dir_all(&path).map_err(at(&path))?;
        let latest = runs.join("latest");
        // The link is replaced atomically, so that it always exists.
        let fresh = runs.join(format!(".latest-{}", std::process::id()));
        let _ = fs::remove_file(&fresh);
        std::os::unix::fs::symlink(&stamp, &fresh).map_err(at(&fresh))?;
        fs::rename(&fresh, &latest).map_err(at(&latest))?;
        Ok(RunDir { path })
    }

    /// The directory of an existing run.
    pub fn open(path: &Path) -> RunDir {
        RunDir { path: path.to_owned() }
    }

    /// All runs of plans of this name, in order of time.
    pub fn all_of(store: &Path, name: &str) -> Vec<RunDir> {
        RunDir::all_in(&store.join(file_name(name)))
    }

    /// The runs in a directory: the directory itself, if it is a run's; else those one level below (a plan's) and two levels below (a store's). In order of
    /// name, which is the order of time.
    pub fn all_in(directory: &Path) -> Vec<RunDir> {
        let holds_run = |path: &Path| [RunDir::open(path).plan(), RunDir::open(path).facts()].iter().all(|file| file.is_file());
        if holds_run(directory) {
            return vec![RunDir::open(directory)];
        }
        // `latest` is a second name of a run.
        let is_run = |path: &PathBuf| !path.is_symlink() && holds_run(path);
        let inside = |path: &Path| -> Vec<PathBuf> {
            let mut inside: Vec<PathBuf> = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
            inside.sort();
            inside
        };
        let below = inside(directory).into_iter().flat_map(|path| if is_run(&path) { vec![path] } else { inside(&path) });
        below.filter(is_run).map(|path| RunDir { path }).collect()
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal of the history.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.journal")
    }

    /// The plan as it was run, without secrets.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.yaml")
    }

    /// The run's facts: seed, versions, command.
    pub fn facts(&self) -> PathBuf {
        self.path.join("run.json")
    }

    /// The ledger of faults.
    pub fn ledger(&self) -> PathBuf {
        self.path.join("faults.jsonl")
    }

    /// The nodes' clock samples, as JSON lines.
    pub fn clocks(&self) -> PathBuf {
        self.path.join("clocks.jsonl")
    }

    /// The nodes' log files, one directory for each node.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Writes one of the run's files.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, file: &Path, content: &str) -> Result<(), StoreError> {
        fs::write(file, content).map_err(at(file))
    }

    /// The file of the results, for machines.
    pub fn results(&self) -> PathBuf {
        self.path.join("results.json")
    }

    /// Reads the history, up to the last event on disk.
    ///
    /// # Errors
    /// When it does not exist, or is damaged.
    pub fn read_history(&self) -> Result<(History, Skipped), ReadError> {
        exchange::read_with(&self.history(), &ReadOptions::default())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io { path: path.to_owned(), source }
}

/// A plan's name as one safe path component.
fn file_name(name: &str) -> String {
    let safe: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let safe = safe.trim_matches('.').to_owned();
    if safe.is_empty() { "unnamed".to_owned() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_is_the_newest() {
        let store = tempfile::tempdir().unwrap();
        let first = RunDir::create(store.path(), "a/../b", SystemTime::UNIX_EPOCH).unwrap();
        let second = RunDir::create(store.path(), "a/../b", SystemTime::now()).unwrap();
        assert!(first.path().is_dir() && first.path().starts_with(store.path()));
        let latest = fs::canonicalize(store.path().join("a-..-b/latest")).unwrap();
        assert_eq!(latest, fs::canonicalize(second.path()).unwrap());
        for dir in [&first, &second] {
            dir.write(&dir.plan(), "").unwrap();
            assert!(RunDir::all_in(dir.path()).is_empty(), "a plan alone is not a run");
            dir.write(&dir.facts(), "").unwrap();
        }
        let paths = |runs: Vec<RunDir>| runs.into_iter().map(|run| run.path).collect::<Vec<PathBuf>>();
        let both = [first.path.clone(), second.path.clone()];
        assert_eq!(paths(RunDir::all_in(store.path())), both);
        assert_eq!(paths(RunDir::all_of(store.path(), "a/../b")), both);
        assert_eq!(paths(RunDir::all_in(&latest)), [latest.as_path()]);
        assert_eq!(paths(RunDir::all_in(&store.path().join("nothing"))), Vec::<PathBuf>::new());
    }
}
