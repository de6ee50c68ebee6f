//! Whichever is ready first.

use elenchus_core::{Context, Event, Generator, Invocation, Poll, Worker};

/// Several generators at once: each operation comes from the first that is ready. Done when all are.
pub struct Any {
    of: Vec<Box<dyn Generator>>,
    ready: usize,
}

impl Any {
    /// All of these at once, the earlier first where two are ready.
    pub fn new(of: Vec<Box<dyn Generator>>) -> Any {
        Any { of, ready: 0 }
    }
}

impl Generator for Any {
    fn poll(&mut self, context: &Context) -> Poll {
        let mut soonest = Poll::Done;
        for (at, generator) in self.of.iter_mut().enumerate() {
            match (generator.poll(context), soonest) {
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
        self.of[self.ready].take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.iter_mut().for_each(|generator| generator.update(context, worker, event));
    }
}
