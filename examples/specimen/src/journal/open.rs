//! Opening the file at the start of a node.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Durability, Record, Writer, frame};

const FILE: &str = "specimen.log";

/// Why a node's data cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was altered after it had been written.
    #[error("{} is corrupt at byte {offset}: {what}. Acknowledged writes may be gone; to rejoin with empty data, move the file away", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where it is first wrong.
        offset: usize,
        /// How.
        what: &'static str,
    },
    /// The data are another's.
    #[error("{} belongs to {found}, not to {expected}; give every node a directory of its own, and the same --peers at every start", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Who opened it.
        expected: String,
    },
}

/// Opens the file in the directory, or makes both; cuts off what a crash left unfinished; and tells what is remembered, without the owner.
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
    fs::create_dir_all(directory).map_err(io("create the directory of"))?;
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
            "the log ends within a record that was never acknowledged: cut off"
        );
        file.set_len(contents.whole as u64).map_err(io("cut the end of"))?;
    }
    let owner = Record::Owner { name: name.to_owned(), members: members.to_vec() };
    let mut records = contents.records.into_iter();
    match records.next() {
        None => begin(&mut file, directory, &owner, contents.whole == 0).map_err(io("begin"))?,
        Some(found) if found == owner => file.sync_data().map_err(io("sync"))?,
        Some(found) => return Err(JournalError::Foreign { path, found: describe(&found), expected: describe(&owner) }),
    }
    Ok((Writer::start(file, durability), records.collect()))
}

/// Writes what every file begins with, durably, the file's name included.
fn begin(file: &mut File, directory: &Path, owner: &Record, empty: bool) -> io::Result<()> {
    let mut bytes = if empty { frame::MAGIC.to_vec() } else { Vec::new() };
    frame::encode(owner, &mut bytes)?;
    io::Write::write_all(file, &bytes)?;
    file.sync_all()?;
    File::open(directory)?.sync_all()
}

fn describe(owner: &Record) -> String {
    match owner {
        Record::Owner { name, members } => format!("{name} of {}", members.join(", ")),
        _ => "nobody".into(),
    }
}
