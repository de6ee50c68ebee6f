//! The roles in which the lab executes this program again.

use super::environment::ROLE;
use super::signals::Signals;
use super::{enter, node};

/// Runs the lab's part of a process that the lab started, and does not return from it; returns at once in any other process. Must be the first call in `main`,
/// before any thread is started.
pub fn main_hook() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let ended = Signals::unblock().and_then(|()| match role.as_str() {
        "init" => enter::run_init().map(Some),
        "node" => node::run_supervisor().map(Some),
        "node-init" => node::run_init().map(Some),
        "node-sshd" => node::run_sshd().map(Some),
        _ => Ok(None),
    });
    match ended {
        Ok(None) => {}
        Ok(Some(status)) => std::process::exit(status),
        Err(error) => {
            eprintln!("elenchus: {error}");
            std::process::exit(3);
        }
    }
}
