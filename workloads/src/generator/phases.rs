//! One after another.

use std::collections::VecDeque;

use elenchus_core::{Context, Event, Generator, Invocation, Poll, Worker};

/// One generator after another, each when the one before is done and all its operations have completed: the next phase begins on an idle system.
pub struct Phases {
    left: VecDeque<Box<dyn Generator>>,
}

impl Phases {
    /// These, in this order.
    pub fn new(phases: Vec<Box<dyn Generator>>) -> Phases {
        Phases { left: phases.into() }
    }
}

impl Generator for Phases {
    fn poll(&mut self, context: &Context) -> Poll {
        while let Some(current) = self.left.front_mut() {
            match current.poll(context) {
                Poll::Done if self.left.len() == 1 => {
                    self.left.clear();
                }
                // The barrier: a worker is still busy.
                Poll::Done if context.free != context.workers => return Poll::Pending,
                Poll::Done => {
                    self.left.pop_front();
                }
                other => return other,
            }
        }
        Poll::Done
    }

    fn take(&mut self, context: &Context) -> Invocation {
        match self.left.front_mut() {
            Some(current) => current.take(context),
            None => unreachable!("polled ready, so there is a phase"),
        }
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        if let Some(current) = self.left.front_mut() {
            current.update(context, worker, event);
        }
    }
}
