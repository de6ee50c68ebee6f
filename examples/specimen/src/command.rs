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

/// The commands of the specimen.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run one node until SIGTERM or SIGINT.
    Serve(Serve),
    /// Print how a node sees the cluster, as JSON.
    Status(Query),
    /// List the defects that can be enabled.
    Defects,
}

/// The arguments of `serve`.
#[derive(Args, Clone, Debug)]
pub struct Serve {
    /// Name of the node, one of those in --peers
    #[arg(long)]
    pub name: String,
    /// Address to listen on, such as 0.0.0.0:7000
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// All nodes, including this one, as name=host:port separated by commas; the same list on every node
    #[arg(long, value_name = "LIST")]
    pub peers: Members,
    /// Directory for the node's data; created if it does not exist
    #[arg(long, value_name = "DIRECTORY")]
    pub data: PathBuf,
    /// Defect to enable
    #[arg(long, value_enum)]
    pub defect: Option<Defect>,
    /// Interval of the leader's heartbeats; a follower starts an election after 4 to 8 intervals without one
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = humantime::parse_duration)]
    pub heartbeat: Duration,
}

/// The arguments of `status`.
#[derive(Args, Clone, Debug)]
pub struct Query {
    /// Node to ask
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7000")]
    pub of: String,
    /// Print only the leader's name; fail if the node knows no leader
    #[arg(long)]
    pub leader: bool,
}

/// Runs a command on a new runtime. Errors go to stderr, with exit code 1.
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
    // If stderr is closed, there is nowhere to report that.
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
    // Fails if the embedding program has installed a subscriber, which is then used.
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
        Err(error) => fail(format!("no valid status from {}: {error}", query.of)),
        Ok(status) if query.leader => status.leader.map_or(ExitCode::FAILURE, |leader| print(&leader)),
        Ok(status) => serde_json::to_string(&status).map_or_else(fail, |text| print(&text)),
    }
}

fn run_defects() -> ExitCode {
    let lines: Vec<String> = Defect::ALL.iter().map(|defect| format!("{:<12} {}", defect.name(), defect.summary())).collect();
    print(&lines.join("\n"))
}
