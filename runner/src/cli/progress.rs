//! Progress on standard error: a live line on a terminal, plain lines elsewhere. Also the log.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

use crate::events::{Listener, RunEvent, TimedEvent};
use crate::judge::Outcomes;

/// The interval of plain progress lines.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Sends the log to standard error: warnings, more with each `-v`, or as `RUST_LOG` selects.
pub fn log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "warn,elenchus=info,elenchus_runner=info,elenchus_nemesis=info,elenchus_control=info,elenchus_workloads=info",
        2 => "warn,elenchus=debug,elenchus_runner=debug,elenchus_nemesis=debug,elenchus_control=debug",
        _ => "warn,elenchus=trace,elenchus_runner=trace,elenchus_nemesis=trace,elenchus_control=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Shows a run's progress on standard error.
pub(super) struct Progress {
    /// Absent where standard error is not a terminal.
    bar: Option<ProgressBar>,
    /// When progress was last shown, and how many operations had completed then.
    last: (Instant, u64),
}

impl Progress {
    pub(super) fn new() -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Progress { bar, last: (Instant::now(), 0) }
    }

    /// Replaces the live line, or prints a plain one.
    fn show(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None => eprintln!("elenchus: {line}"),
        }
    }

    /// Prints a line that stays.
    fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("elenchus: {line}")),
            None => eprintln!("elenchus: {line}"),
        }
    }
}

impl Listener for Progress {
    fn receive(&mut self, event: &TimedEvent) {
        match &event.event {
            RunEvent::PhaseStarted { phase } => self.show(phase.as_str().to_owned()),
            RunEvent::Progress { operations, elapsed_ms, duration_ms, faults } => {
                if self.bar.is_none() && self.last.0.elapsed() < PLAIN_INTERVAL {
                    return;
                }
                let completed = (operations.ok + operations.fail + operations.info) as u64;
                let rate = completed.saturating_sub(self.last.1) as f64 / self.last.0.elapsed().as_secs_f64().max(0.001);
                self.show(line(operations, duration_ms.saturating_sub(*elapsed_ms) / 1000, rate, faults));
                self.last = (Instant::now(), completed);
            }
            RunEvent::ViolationFound { time } => self.print(&format!("violation found after {:.1} s", time.as_secs_f64())),
            RunEvent::Warning { message } => self.print(&format!("warning: {message}")),
            _ => {}
        }
    }

    fn missed(&mut self, _: u64) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(operations: &Outcomes, left_s: u64, rate: f64, faults: &[String]) -> String {
    let Outcomes { ok, fail, info, .. } = operations;
    let faults = if faults.is_empty() { "no fault in force".to_owned() } else { faults.join("; ") };
    format!("{left_s} s left · {rate:.0} ops/s · {ok} ok, {fail} fail, {info} info · {faults}")
}
