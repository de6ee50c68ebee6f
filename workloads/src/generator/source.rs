//! Requests from a function.

use elenchus_core::{Context, Generator, Invocation, Poll, Request};

/// Requests from a function, forever, for the free workers in turn.
pub struct Source<F> {
    make: F,
    after: u16,
}

impl<F: FnMut() -> Request + Send> Source<F> {
    /// Requests made by this function, called once for each.
    pub fn new(make: F) -> Source<F> {
        Source { make, after: 0 }
    }
}

impl<F: FnMut() -> Request + Send> Generator for Source<F> {
    fn poll(&mut self, context: &Context) -> Poll {
        if context.free.is_empty() { Poll::Pending } else { Poll::Ready }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        // In turn, so that a low rate still uses all workers and with them all nodes.
        let worker = context.free.first_from(self.after).unwrap_or_else(|| unreachable!("polled ready, so a worker is free"));
        self.after = worker.0 + 1;
        Invocation::new(worker, (self.make)())
    }
}
