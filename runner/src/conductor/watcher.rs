//! Watches for the first violation while a history is recorded, without blocking the recorder.

use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

use elenchus_core::{Event, Watch};
use tokio::sync::Notify;

/// The limit of batches that wait to be checked. A watcher that falls behind further stops; the run goes on to its end.
const BEHIND: usize = 1024;

/// A thread that checks events as they are recorded.
pub struct Watcher {
    batches: SyncSender<Vec<Event>>,
}

/// A signal that a watcher found a violation; without a watcher it never comes.
#[derive(Clone, Default)]
pub struct ViolationSignal(Arc<Notify>);

impl ViolationSignal {
    /// Waits until a violation is certain; forever if there is none.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}

impl Watcher {
    /// Starts the thread, which ends when the watcher is dropped, or after the first violation.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(mut watches: Vec<Box<dyn Watch>>) -> std::io::Result<(Watcher, ViolationSignal)> {
        let (batches, received) = mpsc::sync_channel::<Vec<Event>>(BEHIND);
        let signal = ViolationSignal(Arc::default());
        let seen = signal.clone();
        std::thread::Builder::new().name("watcher".into()).spawn(move || {
            // Every watch must see every event.
            let mut is_broken = |event: &Event| watches.iter_mut().map(|watch| watch.violates(event)).max() == Some(true);
            if received.iter().flatten().any(|event| is_broken(&event)) {
                // `Notify` keeps the permit if `wait` has not been called yet.
                seen.0.notify_one();
            }
        })?;
        Ok((Watcher { batches }, signal))
    }

    /// Hands over written events; none if the thread has ended.
    pub(super) fn tell(self, batch: Vec<Event>) -> Option<Watcher> {
        match self.batches.try_send(batch) {
            Ok(()) => Some(self),
            Err(mpsc::TrySendError::Full(_)) => {
                tracing::warn!("the watch for the first violation fell behind and was stopped; the run goes on to its end");
                None
            }
            Err(mpsc::TrySendError::Disconnected(_)) => None,
        }
    }
}
