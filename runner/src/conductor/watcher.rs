//! Looks out for the first violation while a history is recorded, without making anybody wait.

use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};

use elenchus_core::{Event, Watch};
use tokio::sync::Notify;

/// How many batches may wait to be looked at. A watch that falls behind further is given up: the run then goes on to its end.
const BEHIND: usize = 1024;

/// A thread that is told of events, and looks at them.
pub struct Watcher {
    batches: SyncSender<Vec<Event>>,
}

/// Whether a watcher saw a violation; without one, nothing is ever seen.
#[derive(Clone, Default)]
pub struct Sighting(Arc<Notify>);

impl Sighting {
    /// Waits until a violation is certain; for ever, if none ever is.
    pub async fn wait(&self) {
        self.0.notified().await;
    }
}

impl Watcher {
    /// Starts looking. The thread ends when the watcher is dropped, or after the first violation.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(mut watches: Vec<Box<dyn Watch>>) -> std::io::Result<(Watcher, Sighting)> {
        let (batches, received) = mpsc::sync_channel::<Vec<Event>>(BEHIND);
        let sighting = Sighting(Arc::default());
        let seen = sighting.clone();
        std::thread::Builder::new().name("watcher".into()).spawn(move || {
            // Every watch must see every event.
            let mut is_broken = |event: &Event| watches.iter_mut().map(|watch| watch.violates(event)).max() == Some(true);
            if received.iter().flatten().any(|event| is_broken(&event)) {
                // Remembered, should nobody be waiting yet.
                seen.0.notify_one();
            }
        })?;
        Ok((Watcher { batches }, sighting))
    }

    /// Hands over what was written; none when nobody looks any more.
    pub(super) fn tell(self, batch: Vec<Event>) -> Option<Watcher> {
        match self.batches.try_send(batch) {
            Ok(()) => Some(self),
            Err(mpsc::TrySendError::Full(_)) => {
                tracing::warn!("the look-out for the first violation fell behind and was given up; the run goes on to its end");
                None
            }
            Err(mpsc::TrySendError::Disconnected(_)) => None,
        }
    }
}
