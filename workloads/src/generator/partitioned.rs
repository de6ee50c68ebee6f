//! Partitions of the workers, each with its own generator.

use elenchus_core::{Context, Event, Generator, Invocation, NodeIndex, Poll, Worker, WorkerSet};

/// A part of the workers, and what they do.
struct Part {
    workers: WorkerSet,
    of: Box<dyn Generator>,
}

/// Several parts that do not share workers: ready when one is, done when all are.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    ready: usize,
    /// Where the search for a ready part begins, so that none starves.
    turn: usize,
}

impl Parts {
    fn poll(&mut self, context: &Context) -> Poll {
        let mut soonest = Poll::Done;
        for step in 0..self.parts.len() {
            let at = (self.turn + step) % self.parts.len();
            let part = &mut self.parts[at];
            match (part.of.poll(&context.only(&part.workers)), soonest) {
                (Poll::Ready, _) => {
                    self.ready = at;
                    return Poll::Ready;
                }
                (Poll::At(moment), Poll::At(other)) => soonest = Poll::At(moment.min(other)),
                (Poll::At(moment), _) => soonest = Poll::At(moment),
                (Poll::Pending, Poll::Done) => soonest = Poll::Pending,
                _ => {}
            }
        }
        soonest
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.turn = self.ready + 1;
        let part = &mut self.parts[self.ready];
        part.of.take(&context.only(&part.workers))
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        for part in self.parts.iter_mut().filter(|part| part.workers.contains(worker)) {
            part.of.update(&context.only(&part.workers), worker, event);
        }
    }
}

/// A copy of a generator for every worker, each at its own pace.
pub struct EachProcess<F> {
    make: F,
    parts: Option<Parts>,
}

impl<F: FnMut(Worker) -> Box<dyn Generator> + Send> EachProcess<F> {
    /// A generator that runs, for every worker, the one that `make` returns for it.
    pub fn new(make: F) -> EachProcess<F> {
        EachProcess { make, parts: None }
    }
}

impl<F: FnMut(Worker) -> Box<dyn Generator> + Send> Generator for EachProcess<F> {
    fn poll(&mut self, context: &Context) -> Poll {
        let parts = self.parts.get_or_insert_with(|| Parts {
            parts: context.workers.iter().map(|worker| Part { workers: [worker].into_iter().collect(), of: (self.make)(worker) }).collect(),
            ..Parts::default()
        });
        parts.poll(context)
    }

    fn take(&mut self, context: &Context) -> Invocation {
        match &mut self.parts {
            Some(parts) => parts.take(context),
            None => unreachable!("polled ready, so the copies were made"),
        }
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        if let Some(parts) = &mut self.parts {
            parts.update(context, worker, event);
        }
    }
}

/// Some workers for this, some for that, and the others for the rest.
pub struct Reserve {
    counts: Vec<usize>,
    of: Vec<Box<dyn Generator>>,
    parts: Option<Parts>,
}

impl Reserve {
    /// For each pair so many workers, from the lowest; `rest` for all others.
    pub fn new(reserved: Vec<(usize, Box<dyn Generator>)>, rest: impl Generator + 'static) -> Reserve {
        let (counts, mut of): (Vec<usize>, Vec<Box<dyn Generator>>) = reserved.into_iter().unzip();
        of.push(Box::new(rest));
        Reserve { counts, of, parts: None }
    }
}

impl Generator for Reserve {
    fn poll(&mut self, context: &Context) -> Poll {
        if self.parts.is_none() {
            let mut workers = context.workers.iter();
            let counts = self.counts.iter().copied().chain([usize::MAX]);
            let parts = counts
                .zip(self.of.drain(..))
                .map(|(count, of)| Part { workers: workers.by_ref().take(count).collect(), of })
                .filter(|part| !part.workers.is_empty())
                .collect();
            self.parts = Some(Parts { parts, ..Parts::default() });
        }
        self.parts.as_mut().map_or(Poll::Done, |parts| parts.poll(context))
    }

    fn take(&mut self, context: &Context) -> Invocation {
        match &mut self.parts {
            Some(parts) => parts.take(context),
            None => unreachable!("polled ready, so the parts were made"),
        }
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        if let Some(parts) = &mut self.parts {
            parts.update(context, worker, event);
        }
    }
}

/// Sends every operation to one of some nodes, in turn, wherever the workers are placed.
pub struct OnNodes {
    nodes: Vec<NodeIndex>,
    of: Box<dyn Generator>,
    next: usize,
}

impl OnNodes {
    /// A generator's operations, to these nodes.
    pub fn new(nodes: Vec<NodeIndex>, of: impl Generator + 'static) -> OnNodes {
        OnNodes { nodes, of: Box::new(of), next: 0 }
    }
}

impl Generator for OnNodes {
    fn poll(&mut self, context: &Context) -> Poll {
        if self.nodes.is_empty() { Poll::Done } else { self.of.poll(context) }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        let node = self.nodes[self.next % self.nodes.len()];
        self.next += 1;
        Invocation { node: Some(node), ..self.of.take(context) }
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.update(context, worker, event);
    }
}
