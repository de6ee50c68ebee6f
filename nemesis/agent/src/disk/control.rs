//! The control socket of the process that serves a file system: one command per connection, answered after its execution.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuser::{INodeNo, Notifier};

use super::faults::Rule;
use super::fuse::Disk;
use super::locked;
use crate::{Result, failed};

/// The time-out for an answer. A power failure waits for writes in progress.
const TIMEOUT: Duration = Duration::from_secs(25);

/// The prefix of an answer that is not an error.
const DONE: &str = "done\n";

/// Sends a command and returns the answer; None when no process listens.
pub(crate) fn send(socket: &Path, words: &[&str]) -> Result<Option<String>> {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if [ErrorKind::NotFound, ErrorKind::ConnectionRefused].contains(&error.kind()) => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", socket.display())),
    };
    let mut answer = String::new();
    let mut exchange = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(format!("{}\n", words.join(" ")).as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_string(&mut answer)
    };
    exchange(&mut stream).map_err(failed("the process that serves the file system"))?;
    match answer.strip_prefix(DONE) {
        Some(said) => Ok(Some(said.to_owned())),
        None if answer.is_empty() => Err("the process that serves the disk has ended".into()),
        None => Err(answer),
    }
}

/// Executes commands until the process exits.
pub(crate) fn listen(listener: &UnixListener, disk: &Arc<Disk>, kernel: &Notifier) {
    for mut stream in listener.incoming().flatten() {
        let (disk, kernel) = (disk.clone(), kernel.clone());
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stream.try_clone().and_then(|stream| BufReader::new(stream).read_line(&mut line));
            if read.is_ok() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let answer = execute(&disk, &kernel, &words).map_or_else(|why| why, |said| format!("{DONE}{said}"));
                // A client that does not wait gets no answer.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
    }
}

fn execute(disk: &Disk, kernel: &Notifier, words: &[&str]) -> Result<String> {
    let number = |word: &str| word.parse::<u64>().map_err(|_| format!("`{word}` is not a number"));
    let id = |word: &str| word.parse::<u32>().map_err(|_| format!("`{word}` is not an injection id"));
    match *words {
        ["fail", seed] => return fail_power(disk, kernel, number(seed)?, None),
        ["fail", seed, sector] => match number(sector)? {
            sector @ (512 | 4096) => return fail_power(disk, kernel, number(seed)?, Some(sector)),
            other => return Err(format!("a sector must have 512 or 4096 bytes, not {other}")),
        },
        ["rule", one, seed, ref rule @ ..] => disk.faults.add(id(one)?, number(seed)?, Rule::from_words(rule)?)?,
        ["unrule", "all"] => disk.faults.remove(None),
        ["unrule", one] => disk.faults.remove(Some(id(one)?)),
        ["rules"] => {
            let active = disk.faults.active();
            return Ok(active.iter().map(|(id, hits)| format!("{id} {hits}\n")).collect());
        }
        ["end"] => {
            disk.faults.remove(None);
            disk.volume.end();
        }
        _ => return Err(format!("`{}` is not a command", words.join(" "))),
    }
    invalidate(disk, kernel).map(|()| String::new())
}

fn fail_power(disk: &Disk, kernel: &Notifier, seed: u64, torn: Option<u64>) -> Result<String> {
    // Writes that the kernel holds back count as not synced: they are written now, so that they are undone too.
    invalidate(disk, kernel)?;
    let (invalidated, outcome) = disk.volume.fail(seed, torn);
    for (directory, name) in &invalidated.names {
        ignore_unknown(kernel.inval_entry(INodeNo(*directory), name))?;
    }
    invalidated.inodes.iter().try_for_each(|number| ignore_unknown(kernel.inval_inode(INodeNo(*number), 0, 0)))?;
    outcome.map(|()| String::new())
}

/// Invalidates the page cache, which may hold data from before a fault began, ended or undid it. The kernel writes back dirty pages first.
fn invalidate(disk: &Disk, kernel: &Notifier) -> Result<()> {
    let all = locked(&disk.volume.inodes).all();
    all.into_iter().try_for_each(|inode| ignore_unknown(kernel.inval_inode(INodeNo(inode.id), 0, 0)))
}

/// An inode that the kernel does not know is not cached.
fn ignore_unknown(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("invalidating the kernel's cache: {error}")),
        _ => Ok(()),
    }
}
