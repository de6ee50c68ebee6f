//! Real clusters: every node a process of its own on loopback, every link between two nodes a proxy that can be cut.

mod cluster;
mod link;

mod chaos;
mod correct;
mod defects;
mod disk;

use std::process::ExitCode;

use clap::Parser;
use elenchus_specimen::Command;

/// How a test tells its own executable to be a node instead.
const COMMAND: &str = "SPECIMEN_TEST_COMMAND";

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Not a test: what a child process runs.
#[test]
fn node() -> ExitCode {
    match std::env::var(COMMAND) {
        Ok(line) => elenchus_specimen::run(Line::parse_from(line.split('\n')).command),
        Err(_) => ExitCode::SUCCESS,
    }
}
