//! The command line: `elenchus specimen …`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::defect::Defect;
use crate::members::Members;
use crate::network::http;
use crate::node::{Settings, serve};
use crate::status::status;

/// What the specimen can be told to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run one node until SIGTERM or SIGINT.
    Serve(Serve),
    /// Print how a node sees the cluster, as JSON.
    Status(Query),
    /// List the defects that can be switched on.
    Defects,
}

/// One node.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// The node's name, one of those in --peers
    #[arg(long)]
    pub name: String,
    /// Where to listen, as in 0.0.0.0:7000
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Every node, this one too: name=host:port, separated by commas; the same list on every node
    #[arg(long, value_name = "LIST")]
    pub peers: Members,
    /// The directory for the node's data; made when it is not there
    #[arg(long, value_name = "DIRECTORY")]
    pub data: PathBuf,
    /// The defect to switch on
    #[arg(long, value_enum)]
    pub defect: Option<Defect>,
    /// How often the leader tells that it leads; elections begin after four to eight times this
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = humantime::parse_duration)]
    pub heartbeat: Duration,
}

/// Which node to ask, and for what.
#[derive(Args, Clone, Debug)]
pub struct Query {
    /// The node to ask
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7000")]
    pub of: String,
    /// Print only the leader's name; fail when the node knows of none
    #[arg(long)]
    pub leader: bool,
}

/// Does what the command says, on a runtime of its own. Errors are told on stderr; the exit code is 1 for them.
pub fn run(command: Command) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(async {
            match command {
                Command::Serve(arguments) => run_serve(arguments).await,
                Command::Status(query) => run_status(&query).await,
                Command::Defects => run_defects(),
            }
        }),
        Err(error) => fail(format!("cannot start the runtime: {error}")),
    }
}

fn fail(error: impl std::fmt::Display) -> ExitCode {
    // Nobody is left to be told of a closed stderr.
    drop(writeln!(io::stderr(), "error: {error}"));
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

async fn run_serve(arguments: Serve) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,openraft=error"));
    // The program that embeds this may have set up its own.
    drop(tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(false).with_env_filter(filter).try_init());
    let Serve { name, listen, peers, data, defect, heartbeat } = arguments;
    let (mut term, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(term), Ok(interrupt)) => (term, interrupt),
        (Err(error), _) | (_, Err(error)) => return fail(format!("cannot listen for signals: {error}")),
    };
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    match serve(Settings { name, listen, members: peers, data, defect, heartbeat }, stop).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error),
    }
}

async fn run_status(query: &Query) -> ExitCode {
    let answer = match http() {
        Ok(http) => status(&http, &query.of).await,
        Err(error) => Err(error),
    };
    match answer {
        Err(error) => fail(format!("{} does not answer as a specimen does: {error}", query.of)),
        Ok(status) if query.leader => status.leader.map_or(ExitCode::FAILURE, |leader| print(&leader)),
        Ok(status) => serde_json::to_string(&status).map_or_else(fail, |text| print(&text)),
    }
}

fn run_defects() -> ExitCode {
    let lines: Vec<String> = Defect::ALL.iter().map(|defect| format!("{:<12} {}", defect.name(), defect.summary())).collect();
    print(&lines.join("\n"))
}
