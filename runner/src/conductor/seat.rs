//! Where a worker sits: how it is handed an operation, and how it carries one out.

use elenchus_core::{Connection, Failure, Invocation, Target, Value, Worker};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Cast;

/// The hand-over of one operation to an idle worker.
#[derive(Default)]
pub(super) struct Seat {
    handed: Mutex<Option<Invocation>>,
    wake: Notify,
}

impl Seat {
    /// Hands an operation to the worker, which must be idle.
    pub(super) fn hand(&self, invocation: Invocation) {
        *self.handed.lock() = Some(invocation);
        self.wake.notify_one();
    }

    /// Waits for an operation.
    pub(super) async fn wait(&self) -> Invocation {
        loop {
            if let Some(invocation) = self.handed.lock().take() {
                return invocation;
            }
            self.wake.notified().await;
        }
    }
}

/// A worker's connection to its node, opened when it is first needed and again after every operation of unknown outcome.
pub(super) struct Player {
    target: Target,
    connection: Option<Box<dyn Connection>>,
}

impl Player {
    pub(super) fn new(worker: Worker, cast: &Cast) -> Player {
        Player { target: cast.targets[usize::from(worker.0) % cast.targets.len()].clone(), connection: None }
    }

    /// Carries one operation to the system, within the time-out.
    pub(super) async fn perform(&mut self, cast: &Cast, invocation: &Invocation) -> Result<Value, Failure> {
        let deadline = tokio::time::Instant::now() + cast.timeout;
        if self.connection.is_none() {
            let connected = tokio::time::timeout_at(deadline, cast.client.connect(&self.target)).await;
            self.connection = Some(match connected {
                // Nothing was asked yet, so nothing happened, as with a read.
                Ok(connected) => connected.map_err(Failure::of_read)?,
                Err(_) => return Err(Failure::Fail(format!("no connection to {} within {:?}", self.target.node, cast.timeout))),
            });
        }
        let Some(connection) = self.connection.as_mut() else { unreachable!("connected above") };
        let outcome = tokio::time::timeout_at(deadline, cast.workload.perform(invocation, connection.as_mut()))
            .await
            .unwrap_or_else(|_| Err(Failure::Info(format!("no answer within {:?}", cast.timeout))));
        match outcome {
            Err(failure @ Failure::Info(_)) => {
                self.connection = None;
                Err(if cast.workload.is_read_only(invocation) { failure.of_read() } else { failure })
            }
            other => other,
        }
    }
}
