//! Operations from a function.

use elenchus_core::{Context, Generator, Invocation, Poll, Symbol, Value};

/// What a function makes: an invocation without the worker who is to carry it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The function.
    pub f: Symbol,
    /// The key, where there are several.
    pub key: Option<Value>,
    /// The argument.
    pub value: Value,
}

/// Operations from a function, for ever, for the free workers in turn.
pub struct Source<F> {
    make: F,
    after: u16,
}

impl<F: FnMut() -> Made + Send> Source<F> {
    /// Operations made by this function, called once for each.
    pub fn new(make: F) -> Source<F> {
        Source { make, after: 0 }
    }
}

impl<F: FnMut() -> Made + Send> Generator for Source<F> {
    fn poll(&mut self, context: &Context) -> Poll {
        if context.free.is_empty() { Poll::Pending } else { Poll::Ready }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        // In turn, so that a low rate still uses all workers and with them all nodes.
        let worker = context.free.first_from(self.after).unwrap_or_else(|| unreachable!("polled ready, so somebody is free"));
        self.after = worker.0 + 1;
        let Made { f, key, value } = (self.make)();
        Invocation { worker, f, key, value }
    }
}
