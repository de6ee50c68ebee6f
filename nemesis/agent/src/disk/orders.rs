//! What the process that serves a file system is told meanwhile: lines over a socket, each answered when it is carried out.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fuser::{INodeNo, Notifier};

use super::faults::Rule;
use super::locked;
use super::mounted::Disk;
use crate::{Result, failed};

/// How long an answer is waited for. A power failure waits for whoever is writing.
const PATIENCE: Duration = Duration::from_secs(25);

/// What an answer begins with that is no error.
const DONE: &str = "done\n";

/// Gives an order, and returns the answer; nothing when nobody serves there.
pub(crate) fn give(socket: &Path, words: &[&str]) -> Result<Option<String>> {
    let mut stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if [ErrorKind::NotFound, ErrorKind::ConnectionRefused].contains(&error.kind()) => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", socket.display())),
    };
    let mut answer = String::new();
    let mut exchange = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{}\n", words.join(" ")).as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_string(&mut answer)
    };
    exchange(&mut stream).map_err(failed("the process that serves the disk"))?;
    match answer.strip_prefix(DONE) {
        Some(said) => Ok(Some(said.to_owned())),
        None if answer.is_empty() => Err("the process that serves the disk has ended".into()),
        None => Err(answer),
    }
}

/// Takes orders for ever.
pub(crate) fn take(listener: &UnixListener, disk: &Arc<Disk>, kernel: &Notifier) {
    for mut stream in listener.incoming().flatten() {
        let (disk, kernel) = (disk.clone(), kernel.clone());
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stream.try_clone().and_then(|stream| BufReader::new(stream).read_line(&mut line));
            if read.is_ok() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let answer = obey(&disk, &kernel, &words).map_or_else(|why| why, |said| format!("{DONE}{said}"));
                // Who does not wait for the answer does not want it.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
    }
}

fn obey(disk: &Disk, kernel: &Notifier, words: &[&str]) -> Result<String> {
    let number = |word: &str| word.parse::<u64>().map_err(|_| format!("`{word}` is no number"));
    let id = |word: &str| word.parse::<u32>().map_err(|_| format!("`{word}` is no injection"));
    match *words {
        ["fail", seed] => return fail(disk, kernel, number(seed)?, None),
        ["fail", seed, sector] => match number(sector)? {
            sector @ (512 | 4096) => return fail(disk, kernel, number(seed)?, Some(sector)),
            other => return Err(format!("a sector has 512 or 4096 bytes, not {other}")),
        },
        ["rule", one, seed, ref rule @ ..] => disk.faults.add(id(one)?, number(seed)?, Rule::of_words(rule)?)?,
        ["unrule", "all"] => disk.faults.remove(None),
        ["unrule", one] => disk.faults.remove(Some(id(one)?)),
        ["rules"] => {
            let in_force = disk.faults.in_force();
            return Ok(in_force.iter().map(|(id, hits)| format!("{id} {hits}\n")).collect());
        }
        ["end"] => {
            disk.faults.remove(None);
            disk.volume.end();
        }
        _ => return Err(format!("`{}` is no order", words.join(" "))),
    }
    forget(disk, kernel).map(|()| String::new())
}

fn fail(disk: &Disk, kernel: &Notifier, seed: u64, torn: Option<u64>) -> Result<String> {
    // What the kernel holds back was written, and is lost as what was not synced: it must not come later.
    forget(disk, kernel)?;
    let (untrue, outcome) = disk.volume.fail(seed, torn);
    for (directory, name) in &untrue.names {
        is_forgotten(kernel.inval_entry(INodeNo(*directory), name))?;
    }
    untrue.inodes.iter().try_for_each(|number| is_forgotten(kernel.inval_inode(INodeNo(*number), 0, 0)))?;
    outcome.map(|()| String::new())
}

/// Has the kernel forget what it remembers of files: what it read before a fault began, ended, or undid it. What it holds back of writes it writes first.
fn forget(disk: &Disk, kernel: &Notifier) -> Result<()> {
    let all = locked(&disk.volume.inodes).all();
    all.into_iter().try_for_each(|inode| is_forgotten(kernel.inval_inode(INodeNo(inode.id), 0, 0)))
}

/// What the kernel does not know, it need not forget.
fn is_forgotten(forgotten: std::io::Result<()>) -> Result<()> {
    match forgotten {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(format!("the kernel does not forget: {error}")),
        _ => Ok(()),
    }
}
