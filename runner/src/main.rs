//! The `elenchus` command.

use std::process::ExitCode;

use clap::Parser;
use elenchus_control::lab;
use elenchus_runner::cli::{self, Cli, Command, exit, progress};

/// Events are allocated by the threads that parse and freed by the one that judges, which this allocator handles well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before any thread is started: this process may be a part of a lab.
    lab::main_hook();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if let Command::Specimen(command) = cli.command {
        // A program of its own, with a log of its own.
        return elenchus_specimen::run(command);
    }
    progress::log(cli.verbose);
    cli::execute(&cli).unwrap_or_else(|failure| failure.report())
}
