//! A lab that stays up in the background: `elenchus lab up`, `status`, `shell`, `down`.
//!
//! `up` starts this program again as the lab's holder, in a session of its own. The holder announces its nodes as a line of JSON and waits for an answer, which comes
//! when they have been written down; a holder whose starter died before that ends, so that no lab is up of which nobody knows.

mod state;

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use elenchus_control::lab::{self, Entered, HeldLab, HeldNode, LabError, LabOptions, NodeSshd};
use elenchus_core::words::nearest;
use thiserror::Error;

use crate::cli::{LabCommand, LabOptionsArgs};
use crate::plan::LabSshd;
use crate::stdout::say;
use state::State;

/// Why a `lab` command could not do what it was asked.
#[derive(Debug, Error)]
pub enum LabCommandError {
    /// There is one already.
    #[error(
        "a lab of {nodes} nodes is up already (process {pid}); `elenchus lab status` lists its nodes, `elenchus lab down` ends it. Plans make labs of their own beside it"
    )]
    AlreadyUp {
        /// How many nodes it has.
        nodes: usize,
        /// The process that holds it.
        pid: u32,
    },
    /// There is none.
    #[error("no lab is up; `elenchus lab up` starts one")]
    NotUp,
    /// It has no such node.
    #[error("the lab has no node `{name}`{suggestion}; it has {known}")]
    UnknownNode {
        /// What was asked for.
        name: String,
        /// The nearest one, in words.
        suggestion: String,
        /// All there are.
        known: String,
    },
    /// What is known of the lab cannot be read or written.
    #[error("the lab's state cannot be kept in {path}: {source}; set XDG_RUNTIME_DIR to a directory of yours")]
    State {
        /// Where.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// The holder ended before the nodes were up.
    #[error("{0}")]
    NotStarted(String),
    /// The lab cannot be made or entered.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// What was asked for cannot be printed.
    #[error(transparent)]
    Unsaid(#[from] io::Error),
    /// It does not end.
    #[error("the lab cannot be ended: {0}")]
    NotEnded(io::Error),
}

/// Does what a `lab` command says, and returns the exit status. Must be called before any thread is started.
///
/// # Errors
/// When there is a lab and should be none, or the other way round; when the kernel or the user's rights do not suffice.
pub fn execute(command: &LabCommand, quiet: bool) -> Result<i32, LabCommandError> {
    match command {
        LabCommand::Up(options) => up(options, quiet),
        LabCommand::Status => status(),
        LabCommand::Shell { node, command } => {
            let lab = State::open()?.lab().ok_or(LabCommandError::NotUp)?;
            Ok(lab.run_in(find(&lab, node)?, command)?)
        }
        LabCommand::Down => down(quiet),
        LabCommand::Hold(options) => hold(options),
    }
}

fn up(options: &LabOptionsArgs, quiet: bool) -> Result<i32, LabCommandError> {
    let began = Instant::now();
    let mut state = State::lock()?;
    if let Some(lab) = state.lab() {
        return Err(LabCommandError::AlreadyUp { nodes: lab.nodes.len(), pid: lab.holder_pid() });
    }
    let mut holder = start_holder(options, &state)?;
    let lab = match announced(&mut holder).and_then(|nodes| HeldLab::new(holder.id(), nodes)) {
        Some(lab) => lab,
        None => {
            let _ = holder.wait();
            return Err(LabCommandError::NotStarted(state.last_words()));
        }
    };
    if let Err(error) = state.keep(&lab).and_then(|()| acknowledge(&mut holder)) {
        let _ = lab.end();
        let _ = holder.wait();
        state.forget();
        return Err(error);
    }
    if !quiet {
        say(&format!(
            "{} nodes are up after {:.1?}\n{}\n\
             `elenchus lab shell n1` opens a shell in one, `elenchus lab shell n1 -- COMMAND` runs a command, `elenchus lab down` ends the lab\n",
            lab.nodes.len(),
            began.elapsed(),
            listed(&lab)
        ))?;
    }
    Ok(0)
}

fn start_holder(options: &LabOptionsArgs, state: &State) -> Result<Child, LabCommandError> {
    let program = std::env::current_exe().map_err(|error| LabCommandError::NotStarted(format!("this program cannot be found: {error}")))?;
    let mut holder = Command::new(program);
    holder.args(["lab", "hold", "--nodes", &options.nodes.to_string()]);
    if options.sshd == LabSshd::Openssh {
        holder.args(["--sshd", "openssh"]);
    }
    // Its directory may be removed, and file systems unmounted, while the lab is up.
    holder.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(state.log()?);
    holder.spawn().map_err(|error| LabCommandError::NotStarted(format!("the lab's holder cannot be started: {error}")))
}

/// The nodes that the holder announces; none when it ends before.
fn announced(holder: &mut Child) -> Option<Vec<HeldNode>> {
    let mut line = String::new();
    BufReader::new(holder.stdout.take()?).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// Tells the holder that its nodes are known, so that it goes on.
fn acknowledge(holder: &mut Child) -> Result<(), LabCommandError> {
    let answered =
        holder.stdin.take().ok_or_else(|| io::Error::other("no way to answer it")).and_then(|mut input| writeln!(input, "known"));
    answered.map_err(|error| LabCommandError::NotStarted(format!("the lab ended at once: {error}")))
}

/// The holder: the lab lives in it and below it.
fn hold(options: &LabOptionsArgs) -> Result<i32, LabCommandError> {
    let net = match lab::enter_detached()? {
        Entered::Outer(status) => {
            State::forget_own()?;
            return Ok(status);
        }
        Entered::Inner(net) => net,
    };
    let sshd = match options.sshd {
        LabSshd::Embedded => NodeSshd::Embedded,
        LabSshd::Openssh => NodeSshd::OpenSsh,
    };
    net.hold(&LabOptions { nodes: options.nodes, sshd }, |nodes| {
        println!("{}", serde_json::to_string(nodes)?);
        match io::stdin().read_line(&mut String::new())? {
            0 => Err(io::Error::other("who started the lab is gone")),
            _ => Ok(()),
        }
    })?;
    Ok(0)
}

fn status() -> Result<i32, LabCommandError> {
    let lab = State::open()?.lab().ok_or(LabCommandError::NotUp)?;
    say(&format!("a lab of {} nodes is up, held by process {}\n{}", lab.nodes.len(), lab.holder_pid(), listed(&lab)))?;
    Ok(0)
}

fn listed(lab: &HeldLab) -> String {
    let lines = lab.nodes.iter().map(|node| {
        let state = lab.processes(node).map_or("has ended".to_owned(), |count| format!("{count} processes"));
        format!("  {:<5} {:<12} {state}\n", node.name, node.address.to_string())
    });
    lines.collect()
}

fn down(quiet: bool) -> Result<i32, LabCommandError> {
    let mut state = State::lock()?;
    let lab = state.lab();
    if let Some(lab) = &lab {
        lab.end().map_err(LabCommandError::NotEnded)?;
    }
    // What a lab that was killed left is removed, too.
    state.forget();
    let lab = lab.ok_or(LabCommandError::NotUp)?;
    if !quiet {
        say(&format!("the lab of {} nodes has ended\n", lab.nodes.len()))?;
    }
    Ok(0)
}

fn find<'a>(lab: &'a HeldLab, name: &str) -> Result<&'a HeldNode, LabCommandError> {
    lab.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
        let names: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
        LabCommandError::UnknownNode {
            name: name.to_owned(),
            suggestion: nearest(name, names.iter().copied()).map_or(String::new(), |word| format!("; did you mean `{word}`?")),
            known: names.join(", "),
        }
    })
}
