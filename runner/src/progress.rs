//! What a person sees while a run goes on: a live line on a terminal, plain lines where there is none.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

use crate::conductor::Tally;
use crate::run::RunEvent;

/// How often a plain line tells of progress.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Sends the log to standard error: warnings, more with each `-v`, or as `RUST_LOG` says.
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

/// Shows a run's events on standard error.
pub struct Shown {
    bar: Option<ProgressBar>,
    is_quiet: bool,
    last: Mutex<(Instant, u64)>,
}

impl Shown {
    /// A display; one that is quiet shows nothing.
    pub fn new(is_quiet: bool) -> Shown {
        let bar = (!is_quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{spinner} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Shown { bar, is_quiet, last: Mutex::new((Instant::now(), 0)) }
    }

    /// Shows an event.
    pub fn show(&self, event: RunEvent) {
        if self.is_quiet {
            return;
        }
        match (event, &self.bar) {
            (RunEvent::Phase(name), Some(bar)) => bar.set_message(name),
            (RunEvent::Phase(name), None) => eprintln!("elenchus: {name}"),
            (RunEvent::Progress { tally, elapsed, duration, faults }, bar) => {
                let mut last = self.last.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                if bar.is_none() && last.0.elapsed() < PLAIN_EVERY {
                    return;
                }
                let rate = (tally.completed() - last.1.min(tally.completed())) as f64 / last.0.elapsed().as_secs_f64().max(0.001);
                let line = line(&tally, elapsed, duration, rate, &faults);
                match bar {
                    Some(bar) => bar.set_message(line),
                    None => eprintln!("elenchus: {line}"),
                }
                *last = (Instant::now(), tally.completed());
            }
        }
    }

    /// Takes the live line away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn line(tally: &Tally, elapsed: Duration, duration: Duration, rate: f64, faults: &[String]) -> String {
    let left = duration.saturating_sub(elapsed).as_secs();
    let broken = if faults.is_empty() { "nothing is broken".to_owned() } else { faults.join("; ") };
    format!("{left} s left · {rate:.0} ops/s · {} ok, {} fail, {} in doubt · {broken}", tally.ok, tally.fail, tally.info)
}
