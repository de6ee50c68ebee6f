//! Running scripts on nodes that go down or come back.

use std::future::Future;
use std::process::Stdio;
use std::time::{Duration, Instant};

use elenchus_control::command::Exit;
use elenchus_control::{ControlError, Host, Output};
use elenchus_core::Span;
use serde::{Deserialize, Serialize};

/// The expected state of a node that goes down, or is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// It goes down within this time: if it does not answer, the script counts as successful.
    Down(Span),
    /// It comes back.
    Back(Recovery),
}

/// How a node that is down comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The command that switches it on, run by `sh` on the control node. When absent, it comes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// How long it may take to answer.
    pub within: Span,
}

/// The exit status of a script that may succeed later: `EX_TEMPFAIL` of sysexits.h.
pub(crate) const NOT_YET: u32 = 75;

/// How long to wait before trying again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a node that is up may take to answer.
const SILENCE: Duration = Duration::from_secs(4);

/// How many connections in a row must fail before a node counts as down, as a single one may fail by chance.
const SILENCES: u32 = 2;

/// How long to wait before a node that does not answer is switched on again.
const AGAIN: Duration = Duration::from_secs(30);

/// How long that command may take.
const PRESS_LIMIT: Duration = Duration::from_secs(60);

/// Runs a script on such a node by `attempt`, on a new connection each time, until the node is in the expected state.
pub(crate) async fn run<Attempt>(host: &Host, away: &Expect, attempt: impl Fn() -> Attempt) -> Result<Output, ControlError>
where
    Attempt: Future<Output = Result<Output, ControlError>>,
{
    match away {
        Expect::Down(within) => until_down(host, within.0, attempt).await,
        Expect::Back(recovery) => until_back(host, recovery, attempt).await,
    }
}

async fn until_down<Attempt>(host: &Host, within: Duration, attempt: impl Fn() -> Attempt) -> Result<Output, ControlError>
where
    Attempt: Future<Output = Result<Output, ControlError>>,
{
    let (began, mut silences) = (Instant::now(), 0);
    loop {
        match host.reconnect(SILENCE).await {
            Err(ControlError::Connect { .. }) => silences += 1,
            // Another error means that the node is up; it may go down in a moment.
            Err(error) if began.elapsed() >= within => return Err(error),
            Err(_) => silences = 0,
            Ok(()) => {
                silences = 0;
                match attempt().await {
                    Err(error) if may_succeed_later(&error) && began.elapsed() < within => {}
                    done => return done,
                }
            }
        }
        if silences == SILENCES {
            return Ok(Output { stdout: Vec::new(), stderr: Vec::new(), status: Exit::Code(0) });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn until_back<Attempt>(host: &Host, recovery: &Recovery, attempt: impl Fn() -> Attempt) -> Result<Output, ControlError>
where
    Attempt: Future<Output = Result<Output, ControlError>>,
{
    let began = Instant::now();
    let mut pressed: Option<(Instant, String)> = None;
    loop {
        let error = match host.reconnect(Duration::MAX).await {
            Ok(()) => match attempt().await {
                Err(error) if may_succeed_later(&error) => error,
                done => return done,
            },
            Err(error) => {
                if let Some(on) = &recovery.on
                    && pressed.as_ref().is_none_or(|(when, _)| when.elapsed() >= AGAIN)
                {
                    pressed = Some((Instant::now(), press(on).await));
                }
                error
            }
        };
        if began.elapsed() >= recovery.within.0 {
            return Err(never_back(host, recovery, pressed.map(|(_, said)| said), error));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a failure may be due to the node going down or not being up yet.
fn may_succeed_later(error: &ControlError) -> bool {
    match error {
        ControlError::Connect { .. } | ControlError::ConnectionLost { .. } | ControlError::Timeout { .. } => true,
        ControlError::Failed { status, .. } => *status == Exit::Code(NOT_YET),
        _ => false,
    }
}

/// Runs the command that switches a node on, and describes its result.
async fn press(on: &str) -> String {
    tracing::info!(command = on, "switching a node on");
    let mut command = tokio::process::Command::new("/bin/sh");
    command.arg("-c").arg(on).stdin(Stdio::null()).kill_on_drop(true);
    let ended = match tokio::time::timeout(PRESS_LIMIT, command.output()).await {
        Err(_) => format!("took longer than {PRESS_LIMIT:?}"),
        Ok(Err(error)) => format!("could not be run: {error}"),
        Ok(Ok(output)) if output.status.success() => "succeeded".to_owned(),
        Ok(Ok(output)) => format!("ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
    };
    format!("`{on}` {ended}")
}

/// The error for a node that did not come back: what was tried, and what to do.
fn never_back(host: &Host, recovery: &Recovery, pressed: Option<String>, last: ControlError) -> ControlError {
    let pressed = pressed.map_or_else(String::new, |said| format!("; {said}"));
    let reason = format!(
        "it went down and did not come back within {}{pressed}; the last attempt: {last}; switch it on by hand, then run `elenchus heal` to start the system",
        recovery.within
    );
    ControlError::Connect { host: host.name().to_owned(), address: host.address().to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use elenchus_control::config::HostConfig;

    use super::*;

    /// A host with a port on which no process listens.
    fn unreachable() -> Host {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Host::new("n1", HostConfig { port: free, ..HostConfig::new("127.0.0.1") })
    }

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_down() {
        let tries = AtomicU32::new(0);
        let attempt = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            Err(ControlError::ConnectionLost { host: "n1".into(), command: "x".into() })
        };
        assert!(run(&unreachable(), &Expect::Down(Span::secs(60)), attempt).await.is_ok());
        assert_eq!(tries.into_inner(), 0);
    }

    #[tokio::test]
    async fn the_error_of_a_lost_node_says_what_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("pressed");
        let on = format!("echo . >>{}; echo no such machine >&2; exit 3", mark.display());
        let recovery = Recovery { on: Some(on), within: Span::millis(1) };
        let attempt = || async { Err(ControlError::ConnectionLost { host: "n1".into(), command: "x".into() }) };
        let said = run(&unreachable(), &Expect::Back(recovery), attempt).await.unwrap_err().to_string();
        assert_eq!(std::fs::read_to_string(mark).unwrap(), ".\n", "the command is run once");
        for part in ["n1", "did not come back within 1ms", "exit status: 3: no such machine", "elenchus heal"] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn temporary_failures_are_recognized() {
        let failed =
            |code| ControlError::Failed { host: "n1".into(), command: "x".into(), status: Exit::Code(code), output: String::new() };
        assert!(may_succeed_later(&failed(NOT_YET)) && !may_succeed_later(&failed(1)));
    }
}
