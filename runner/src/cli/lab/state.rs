//! The state of the lab that is up, in a directory of this user.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use elenchus_control::lab::BackgroundLab;

use super::LabCommandError;

/// The state directory, with a file about the lab and the holder's log.
pub(super) struct State {
    dir: PathBuf,
    /// The directory itself, locked against other commands that change it.
    lock: Option<File>,
}

impl State {
    /// Opens it for reading.
    pub(super) fn open() -> Result<State, LabCommandError> {
        Ok(State { dir: dir()?, lock: None })
    }

    /// Locks it for changes: waits for other commands, and makes later ones wait.
    pub(super) fn lock() -> Result<State, LabCommandError> {
        let dir = dir()?;
        loop {
            let lock = lock(&dir).map_err(failed(&dir))?;
            // Another command may have removed and recreated it meanwhile.
            let same = fs::metadata(&dir).ok().zip(lock.metadata().ok()).is_some_and(|(there, here)| there.ino() == here.ino());
            if same {
                return Ok(State { dir, lock: Some(lock) });
            }
        }
    }

    /// The lab that is up.
    pub(super) fn lab(&self) -> Option<BackgroundLab> {
        let lab: BackgroundLab = serde_json::from_slice(&fs::read(self.file()).ok()?).ok()?;
        lab.is_up().then_some(lab)
    }

    /// Stores the lab that is up.
    pub(super) fn store(&mut self, lab: &BackgroundLab) -> Result<(), LabCommandError> {
        let path = self.file();
        let text = serde_json::to_vec(lab).map_err(|error| failed(&path)(error.into()))?;
        fs::write(&path, text).map_err(failed(&path))
    }

    /// A new log file for the holder.
    pub(super) fn log(&self) -> Result<File, LabCommandError> {
        let path = self.dir.join("lab.log");
        File::create(&path).map_err(failed(&path))
    }

    /// The error that the holder of a lab that did not come up printed. Removes the state.
    pub(super) fn holder_error(&mut self) -> String {
        let printed = fs::read_to_string(self.dir.join("lab.log")).unwrap_or_default();
        self.forget();
        let printed = printed.trim().trim_start_matches("elenchus: ");
        if printed.is_empty() { "the lab ended before its nodes were up, without an error message".to_owned() } else { printed.to_owned() }
    }

    /// Removes the state.
    pub(super) fn forget(&mut self) {
        for name in ["lab.json", "lab.log"] {
            let _ = fs::remove_file(self.dir.join(name));
        }
        // Fails, and is kept, if it has other files.
        let _ = fs::remove_dir(&self.dir);
        self.lock = None;
    }

    /// Removes the state of the lab that this process holds.
    pub(super) fn forget_own() -> Result<(), LabCommandError> {
        let mut state = State::open()?;
        // Without the lock: the command that stops the lab holds it while it waits for this process.
        let is_own = state.lab().is_some_and(|lab| lab.holder_pid() == std::process::id());
        if is_own {
            state.forget();
        }
        Ok(())
    }

    fn file(&self) -> PathBuf {
        self.dir.join("lab.json")
    }
}

fn lock(dir: &Path) -> io::Result<File> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let lock = File::open(dir)?;
    lock.lock()?;
    Ok(lock)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LabCommandError + use<> {
    let path = path.display().to_string();
    move |source| LabCommandError::State { path, source }
}

/// The state directory: in XDG_RUNTIME_DIR, in /run for root, in XDG_STATE_HOME, or in the home directory.
fn dir() -> Result<PathBuf, LabCommandError> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    let base = absolute("XDG_RUNTIME_DIR")
        .or_else(|| is_root.then(|| PathBuf::from("/run")))
        .or_else(|| absolute("XDG_STATE_HOME"))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("elenchus")).ok_or_else(|| LabCommandError::State {
        path: "a directory of this user".to_owned(),
        source: io::Error::other("neither XDG_RUNTIME_DIR nor HOME is set"),
    })
}
