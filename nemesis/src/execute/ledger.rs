//! The ledger: the faults in force, on the control node's disk.
//!
//! A line of JSON before each injection says how to undo it, and is synced before the injection begins; a line after the verified heal removes it. After a crash of
//! the control node, everything can be healed from the file alone.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::{NemesisError, RemoteScript};

/// The file's name in a run's store.
pub const FILE: &str = "faults.jsonl";

/// An injection that may be in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Armed {
    /// The injection's number in its run.
    pub id: u32,
    /// The fault's name.
    pub fault: String,
    /// A description for people.
    pub what: String,
    /// The scripts that undo it.
    pub inverse: Vec<RemoteScript>,
    /// The scripts that fail unless it is undone.
    pub proof: Vec<RemoteScript>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Armed(Armed),
    Healed { id: u32 },
}

/// The ledger of one run.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    outstanding: BTreeMap<u32, Armed>,
}

impl Ledger {
    /// Opens or creates the ledger in a run's store. A last line that was cut off by a crash is dropped: its injection was never made.
    ///
    /// # Errors
    /// When it cannot be read or written, or another process has it open: the faults of a run must not be undone while it goes on.
    pub fn open(store: &Path) -> Result<Ledger, NemesisError> {
        let path = store.join(FILE);
        let failed = |source| NemesisError::Ledger { path: path.clone(), source };
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        // File systems without locks give no protection.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(NemesisError::UnderWay(path));
        }
        // A new file's name is durable only after its directory is synced.
        File::open(store).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        }
        let mut outstanding = BTreeMap::new();
        for line in bytes[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line).map_err(|error| failed(error.into()))? {
                Line::Armed(armed) => outstanding.insert(armed.id, armed),
                Line::Healed { id } => outstanding.remove(&id),
            };
        }
        Ok(Ledger { path, inner: Mutex::new(Inner { file, outstanding }) })
    }

    /// Records an injection that is about to be made, and syncs.
    pub fn record(&self, armed: Armed) -> Result<(), NemesisError> {
        self.append(&Line::Armed(armed.clone()), |outstanding| outstanding.insert(armed.id, armed))
    }

    /// Removes an injection that is undone, and syncs.
    pub fn healed(&self, id: u32) -> Result<(), NemesisError> {
        self.append(&Line::Healed { id }, |outstanding| outstanding.remove(&id))
    }

    /// The injections that may be in force, in order.
    pub fn outstanding(&self) -> Vec<Armed> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).outstanding.values().cloned().collect()
    }

    fn append(&self, line: &Line, note: impl FnOnce(&mut BTreeMap<u32, Armed>) -> Option<Armed>) -> Result<(), NemesisError> {
        let failed = |source| NemesisError::Ledger { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        let mut inner = self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        inner.file.write_all(&text).and_then(|()| inner.file.sync_data()).map_err(failed)?;
        note(&mut inner.outstanding);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn armed(id: u32) -> Armed {
        let script = |script: &str| vec![RemoteScript::new("n1", script)];
        Armed { id, fault: "kill".into(), what: "n1 killed".into(), inverse: script("start\n"), proof: script("look\n") }
    }

    #[test]
    fn unhealed_injections_survive_a_crash() {
        let store = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(store.path()).unwrap();
        ledger.record(armed(1)).unwrap();
        ledger.record(armed(2)).unwrap();
        ledger.healed(1).unwrap();
        drop(ledger);
        let path = store.path().join(FILE);
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend(b"{\"healed\":{\"i");
        std::fs::write(&path, torn).unwrap();
        let again = Ledger::open(store.path()).unwrap();
        assert_eq!(again.outstanding(), vec![armed(2)]);
        assert!(Ledger::open(store.path()).unwrap_err().to_string().contains("under way"));
        again.healed(2).unwrap();
        drop(again);
        assert!(Ledger::open(store.path()).unwrap().outstanding().is_empty());
    }

    #[test]
    fn a_corrupt_ledger_is_reported_with_its_file() {
        let store = tempfile::tempdir().unwrap();
        std::fs::write(store.path().join(FILE), "nonsense\n").unwrap();
        assert!(Ledger::open(store.path()).unwrap_err().to_string().contains(FILE));
    }
}
