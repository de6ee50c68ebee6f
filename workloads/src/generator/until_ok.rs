//! Until it works.

use std::collections::{BTreeMap, VecDeque};

use elenchus_core::{Context, Event, Generator, Invocation, Kind, Poll, Request, Worker, WorkerSet};

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

/// Repeats each of some requests until it succeeds, as many at once as there are free workers. The requests are made when the first is due.
pub fn each_until_ok(requests: impl FnOnce() -> Vec<Request> + Send + 'static) -> EachUntilOk {
    EachUntilOk { requests: Some(Box::new(requests)), waiting: VecDeque::new(), invoked: BTreeMap::new(), at_once: usize::MAX, after: 0 }
}

/// See [`each_until_ok`].
pub struct EachUntilOk {
    requests: Option<Box<dyn FnOnce() -> Vec<Request> + Send>>,
    waiting: VecDeque<Request>,
    /// The pending request of each worker.
    invoked: BTreeMap<Worker, Request>,
    at_once: usize,
    after: u16,
}

impl EachUntilOk {
    /// One request after the other, in order.
    #[must_use]
    pub fn in_order(self) -> EachUntilOk {
        EachUntilOk { at_once: 1, ..self }
    }
}

impl Generator for EachUntilOk {
    fn poll(&mut self, context: &Context) -> Poll {
        if let Some(requests) = self.requests.take() {
            self.waiting = requests().into();
        }
        if self.waiting.is_empty() && self.invoked.is_empty() {
            Poll::Done
        } else if self.waiting.is_empty() || context.free.is_empty() || self.invoked.len() >= self.at_once {
            Poll::Pending
        } else {
            Poll::Ready
        }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        // In turn, so that a request that one node refuses is tried on another.
        let (Some(worker), Some(request)) = (context.free.first_from(self.after), self.waiting.pop_front()) else {
            unreachable!("polled ready")
        };
        self.after = worker.0 + 1;
        self.invoked.insert(worker, request.clone());
        Invocation::new(worker, request)
    }

    fn update(&mut self, _: &Context, worker: Worker, event: &Event) {
        if event.kind == Kind::Invoke {
            return;
        }
        if let Some(request) = self.invoked.remove(&worker)
            && event.kind != Kind::Ok
        {
            // First again, so that those in order stay so.
            self.waiting.push_front(request);
        }
    }
}
