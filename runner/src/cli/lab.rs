//! `elenchus lab up`, `status`, `shell`, `down`: a lab that stays up in the background.
//!
//! `up` starts this program again as the lab's holder, in a session of its own. The holder prints its nodes as a line of JSON and waits for an answer, which
//! `up` sends when it has stored them. If `up` dies before that, the holder ends, so that every lab that is up is known.

mod state;

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use clap::{Args, Subcommand};
use elenchus_control::lab::{self, BackgroundLab, BackgroundNode, Entered, LabError, LabOptions, MAX_NODES, NodeSshd};
use elenchus_core::suggest::nearest;
use thiserror::Error;

use super::Failure;
use super::stdout::say;
use crate::plan::LabSshd;
use state::State;

/// The commands of `lab`.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Start a lab in the background.
    Up(LabOptionsArgs),
    /// List the nodes of the running lab.
    Status,
    /// Open a shell on a node, or run a command there and exit with its status.
    Shell {
        /// The node, such as n1.
        node: String,
        /// The command and its arguments.
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Stop the lab.
    Down,
    /// Be the process that holds a lab.
    #[command(hide = true)]
    Hold(LabOptionsArgs),
}

/// Options of a lab.
#[derive(Clone, Copy, Debug, Args)]
pub struct LabOptionsArgs {
    /// The number of nodes, named n1, n2 …
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_NODES)))]
    pub nodes: u16,
    /// The SSH server of the nodes; the host's OpenSSH needs root.
    #[arg(long, value_enum, default_value_t)]
    pub sshd: LabSshd,
}

/// Why a `lab` command failed.
#[derive(Debug, Error)]
enum LabCommandError {
    /// One is up.
    #[error(
        "a lab of {nodes} nodes is already up (process {pid}); `elenchus lab status` lists its nodes, `elenchus lab down` stops it. Plans start their own labs beside it"
    )]
    AlreadyUp {
        /// Its number of nodes.
        nodes: usize,
        /// The process that holds it.
        pid: u32,
    },
    /// None is up.
    #[error("no lab is up; `elenchus lab up` starts one")]
    NotUp,
    /// It has no such node.
    #[error("the lab has no node `{name}`{suggestion}; it has {known}")]
    UnknownNode {
        /// The name that was given.
        name: String,
        /// The nearest one, in words.
        suggestion: String,
        /// The names of its nodes.
        known: String,
    },
    /// The lab's state file cannot be read or written.
    #[error("the lab's state cannot be stored in {path}: {source}; set XDG_RUNTIME_DIR to a directory that you own")]
    State {
        /// Where.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The holder ended before the nodes were up.
    #[error("{0}")]
    NotStarted(String),
    /// The lab cannot be created or entered.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// Standard output cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// The lab cannot be stopped.
    #[error("the lab cannot be stopped: {0}")]
    NotStopped(io::Error),
}

impl From<LabCommandError> for Failure {
    fn from(error: LabCommandError) -> Failure {
        match error {
            LabCommandError::UnknownNode { .. } => Failure::Usage(format!("elenchus: {error}")),
            other => Failure::could_not(other),
        }
    }
}

/// Carries out a `lab` command. Must be called before any thread is started.
pub(super) fn execute(command: &LabCommand, quiet: bool) -> Result<ExitCode, Failure> {
    Ok(super::status_of(carry_out(command, quiet)?))
}

fn carry_out(command: &LabCommand, quiet: bool) -> Result<i32, LabCommandError> {
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
    let lab = match read_nodes(&mut holder).and_then(|nodes| BackgroundLab::new(holder.id(), nodes)) {
        Some(lab) => lab,
        None => {
            let _ = holder.wait();
            return Err(LabCommandError::NotStarted(state.holder_error()));
        }
    };
    if let Err(error) = state.store(&lab).and_then(|()| acknowledge(&mut holder)) {
        let _ = lab.end();
        let _ = holder.wait();
        state.forget();
        return Err(error);
    }
    if !quiet {
        say(&format!(
            "{} nodes are up after {:.1?}\n{}\n\
             `elenchus lab shell n1` opens a shell on a node, `elenchus lab shell n1 -- COMMAND` runs a command, `elenchus lab down` stops the lab\n",
            lab.nodes.len(),
            began.elapsed(),
            listed(&lab)
        ))?;
    }
    Ok(0)
}

fn start_holder(options: &LabOptionsArgs, state: &State) -> Result<Child, LabCommandError> {
    let program =
        std::env::current_exe().map_err(|error| LabCommandError::NotStarted(format!("the path of this program is unknown: {error}")))?;
    let mut holder = Command::new(program);
    holder.args(["lab", "hold", "--nodes", &options.nodes.to_string()]);
    if options.sshd == LabSshd::Openssh {
        holder.args(["--sshd", "openssh"]);
    }
    // In `/`, so that the lab keeps no directory from being removed or unmounted.
    holder.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(state.log()?);
    holder.spawn().map_err(|error| LabCommandError::NotStarted(format!("the lab's holder cannot be started: {error}")))
}

/// The nodes that the holder prints; none when it ends before.
fn read_nodes(holder: &mut Child) -> Option<Vec<BackgroundNode>> {
    let mut line = String::new();
    BufReader::new(holder.stdout.take()?).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}

/// Tells the holder that its nodes are stored, so that it continues.
fn acknowledge(holder: &mut Child) -> Result<(), LabCommandError> {
    let answered =
        holder.stdin.take().ok_or_else(|| io::Error::other("its standard input is closed")).and_then(|mut input| writeln!(input, "stored"));
    answered.map_err(|error| LabCommandError::NotStarted(format!("the lab ended at once: {error}")))
}

/// The holder: the lab consists of it and its descendants.
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
    net.run_until_signalled(&LabOptions { nodes: options.nodes, sshd }, |nodes| {
        println!("{}", serde_json::to_string(nodes)?);
        match io::stdin().read_line(&mut String::new())? {
            0 => Err(io::Error::other("the command that started the lab has ended")),
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

fn listed(lab: &BackgroundLab) -> String {
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
        lab.end().map_err(LabCommandError::NotStopped)?;
    }
    // Also removes what a killed lab left.
    state.forget();
    let lab = lab.ok_or(LabCommandError::NotUp)?;
    if !quiet {
        say(&format!("the lab of {} nodes has stopped\n", lab.nodes.len()))?;
    }
    Ok(0)
}

fn find<'a>(lab: &'a BackgroundLab, name: &str) -> Result<&'a BackgroundNode, LabCommandError> {
    lab.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
        let names: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
        LabCommandError::UnknownNode {
            name: name.to_owned(),
            suggestion: nearest(name, names.iter().copied()).map_or(String::new(), |word| format!("; did you mean `{word}`?")),
            known: names.join(", "),
        }
    })
}
