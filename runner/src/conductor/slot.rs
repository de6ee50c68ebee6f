//! A worker slot: how an operation is handed to it, and the connections by which it carries operations out.

use elenchus_core::{Connection, Failure, Invocation, NodeIndex, Session, Value};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::{RunSetup, Task};

/// The hand-over of one operation to an idle worker.
#[derive(Default)]
pub(super) struct Slot {
    handed: Mutex<Option<Invocation>>,
    wake: Notify,
}

impl Slot {
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

/// A worker's connections, one per client, each opened when it is first needed, and again after an operation of unknown outcome or when the process
/// is to connect to another node.
#[derive(Default)]
pub(super) struct Connections(Vec<Option<Open>>);

struct Open {
    node: NodeIndex,
    process: u32,
    connection: Box<dyn Connection>,
}

impl Connections {
    /// Carries one operation to the system, within the time-out.
    pub(super) async fn perform(&mut self, setup: &RunSetup, task: &Task) -> Result<Value, Failure> {
        let deadline = Instant::now() + setup.timeout;
        self.0.resize_with(setup.clients.len(), || None);
        let place = &mut self.0[task.client];
        if let Some(open) = place.as_mut().filter(|open| (open.node, open.process) != (task.node, task.process)) {
            // A failure to close the old connection does not affect this request.
            let _ = timeout_at(deadline, open.connection.close()).await;
            *place = None;
        }
        let open = match place {
            Some(open) => open,
            None => place.insert(connect(setup, task, deadline).await?),
        };
        let outcome = timeout_at(deadline, open.connection.invoke(&task.request))
            .await
            .unwrap_or_else(|_| Err(Failure::Info(format!("no answer within {:?}", setup.timeout))));
        let outcome = outcome.and_then(|value| match value.is_too_deep() {
            true => Err(Failure::Info("the answer is nested too deeply for a history".into())),
            false => Ok(value),
        });
        match outcome {
            Err(failure @ Failure::Info(_)) => {
                *place = None;
                Err(if task.request.is_read_only() { failure.of_read() } else { failure })
            }
            other => other,
        }
    }
}

async fn connect(setup: &RunSetup, task: &Task, deadline: Instant) -> Result<Open, Failure> {
    let placed = &setup.clients[task.client];
    let session = Session { deployment: placed.deployment.clone(), node: task.node, worker: task.worker, process: task.process };
    match timeout_at(deadline, placed.client.connect(&session)).await {
        Ok(Ok(connection)) => Ok(Open { node: task.node, process: task.process, connection }),
        // Nothing was asked yet, so nothing happened, as with a read.
        Ok(Err(failure)) => Err(failure.of_read()),
        Err(_) => Err(Failure::Fail(format!("no connection to {} within {:?}", session.endpoint().node, setup.timeout))),
    }
}
