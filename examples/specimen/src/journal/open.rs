//! Opening the journal when a node starts.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Durability, Record, Writer, frame};

const FILE: &str = "specimen.log";

/// The reason why a node's data cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// An I/O error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file was damaged after it had been written.
    #[error("{} is corrupt at byte {offset}: {what}. Acknowledged writes may be lost; to rejoin the cluster with empty data, move the file away", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The offset of the first damaged frame, in bytes.
        offset: usize,
        /// The damage.
        what: &'static str,
    },
    /// The file belongs to another node or cluster.
    #[error("{} belongs to {found}, not to {expected}; give every node its own directory, and the same --peers at every start", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The node and members in the file.
        found: String,
        /// The node and members that opened it.
        expected: String,
    },
}

/// Opens or creates the file in the directory, removes what a crash left incomplete, and returns the records after the owner's.
pub(crate) fn open(
    directory: &Path,
    name: &str,
    members: &[String],
    durability: Durability,
) -> Result<(Writer, Vec<Record>), JournalError> {
    let path = directory.join(FILE);
    let io = |action: &'static str| {
        let path = path.clone();
        move |source| JournalError::Io { action, path, source }
    };
    fs::create_dir_all(directory).map_err(io("create the directory for"))?;
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(io("read"))?,
    };
    let contents =
        frame::decode(&bytes).map_err(|damage| JournalError::Corrupt { path: path.clone(), offset: damage.offset, what: damage.what })?;
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(io("open"))?;
    if contents.whole < bytes.len() {
        tracing::warn!(
            kept = contents.whole,
            cut = bytes.len() - contents.whole,
            "the log ends with an incomplete record that was never acknowledged; it is cut off"
        );
        file.set_len(contents.whole as u64).map_err(io("truncate"))?;
    }
    let owner = Record::Owner { name: name.to_owned(), members: members.to_vec() };
    let mut records = contents.records.into_iter();
    match records.next() {
        None => initialize(&mut file, directory, &owner, contents.whole == 0).map_err(io("initialize"))?,
        Some(found) if found == owner => file.sync_data().map_err(io("sync"))?,
        Some(found) => return Err(JournalError::Foreign { path, found: describe(&found), expected: describe(&owner) }),
    }
    Ok((Writer::start(file, durability), records.collect()))
}

/// Writes the first record and syncs it, and the directory entry too.
fn initialize(file: &mut File, directory: &Path, owner: &Record, empty: bool) -> io::Result<()> {
    let mut bytes = if empty { frame::MAGIC.to_vec() } else { Vec::new() };
    frame::encode(owner, &mut bytes)?;
    io::Write::write_all(file, &bytes)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

fn describe(owner: &Record) -> String {
    match owner {
        Record::Owner { name, members } => format!("{name} of {}", members.join(", ")),
        _ => "an unknown node".into(),
    }
}
