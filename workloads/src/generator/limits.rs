//! Ends.

use std::time::Duration;

use elenchus_core::{Context, Event, Generator, Invocation, Nanos, Poll, Worker};

/// At most so many operations.
pub struct Limit {
    left: u64,
    of: Box<dyn Generator>,
}

impl Limit {
    /// The first `count` operations of a generator.
    pub fn new(count: u64, of: impl Generator + 'static) -> Limit {
        Limit { left: count, of: Box::new(of) }
    }
}

impl Generator for Limit {
    fn poll(&mut self, context: &Context) -> Poll {
        if self.left == 0 { Poll::Done } else { self.of.poll(context) }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.left -= 1;
        self.of.take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.update(context, worker, event);
    }
}

/// Nothing after so long, counted from when it is first asked.
pub struct TimeLimit {
    limit: Duration,
    end: Option<Nanos>,
    of: Box<dyn Generator>,
}

impl TimeLimit {
    /// The operations that a generator has within this time.
    pub fn new(limit: Duration, of: impl Generator + 'static) -> TimeLimit {
        TimeLimit { limit, end: None, of: Box::new(of) }
    }
}

impl Generator for TimeLimit {
    fn poll(&mut self, context: &Context) -> Poll {
        let end = *self.end.get_or_insert(context.now + self.limit);
        if context.now >= end {
            return Poll::Done;
        }
        match self.of.poll(context) {
            // The end must be noticed even when nothing happens until then.
            Poll::At(moment) => Poll::At(moment.min(end)),
            other => other,
        }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.of.take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.update(context, worker, event);
    }
}
