//! Until it works.

use elenchus_core::{Context, Event, Generator, Invocation, Kind, Poll, Worker, WorkerSet};

/// Operations of a generator until one of them ends in `ok`.
pub struct UntilOk {
    of: Box<dyn Generator>,
    mine: WorkerSet,
    is_done: bool,
}

impl UntilOk {
    /// A generator's operations, as many as it takes.
    pub fn new(of: impl Generator + 'static) -> UntilOk {
        UntilOk { of: Box::new(of), mine: WorkerSet::EMPTY, is_done: false }
    }
}

impl Generator for UntilOk {
    fn poll(&mut self, context: &Context) -> Poll {
        if self.is_done { Poll::Done } else { self.of.poll(context) }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        let invocation = self.of.take(context);
        self.mine.insert(invocation.worker);
        invocation
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        if event.kind != Kind::Invoke && self.mine.contains(worker) {
            self.mine.remove(worker);
            self.is_done |= event.kind == Kind::Ok;
        }
        self.of.update(context, worker, event);
    }
}
