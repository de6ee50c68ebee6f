//! Real clusters: every node is a process on loopback, and every link between two nodes is a proxy that can be cut.

mod cluster;
mod link;

mod chaos;
mod correct;
mod defects;
mod disk;

use std::process::ExitCode;

use clap::Parser;
use elenchus_specimen::Command;

/// The environment variable that makes a test executable run a node.
const COMMAND: &str = "SPECIMEN_TEST_COMMAND";

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Not a test: the entry point of a node's process.
#[test]
fn node() -> ExitCode {
    match std::env::var(COMMAND) {
        Ok(line) => elenchus_specimen::run(Line::parse_from(line.split('\n')).command),
        Err(_) => ExitCode::SUCCESS,
    }
}
