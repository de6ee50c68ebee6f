//! Rates. Both schedule from the plan's moments, not from completions, so that a slow system does not slow the load, and what was late is caught up.

use elenchus_core::{Context, Event, Generator, Invocation, Nanos, Poll, Rng, Worker};

/// A rate, with the random gaps of a Poisson process.
pub struct Stagger {
    mean_gap_ns: f64,
    rng: Rng,
    next: Option<Nanos>,
    of: Box<dyn Generator>,
}

impl Stagger {
    /// The operations of a generator at this mean rate, in operations a second.
    pub fn new(rate_hz: f64, rng: Rng, of: impl Generator + 'static) -> Stagger {
        Stagger { mean_gap_ns: 1e9 / rate_hz, rng, next: None, of: Box::new(of) }
    }
}

impl Generator for Stagger {
    fn poll(&mut self, context: &Context) -> Poll {
        after(*self.next.get_or_insert(context.now), self.of.as_mut(), context)
    }

    fn take(&mut self, context: &Context) -> Invocation {
        let gap = self.rng.exponential(self.mean_gap_ns);
        self.next = self.next.map(|moment| Nanos(moment.0.saturating_add(gap as u64)));
        self.of.take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.update(context, worker, event);
    }
}

/// A rate, with equal gaps.
pub struct Delay {
    gap_ns: f64,
    began: Option<Nanos>,
    taken: u64,
    of: Box<dyn Generator>,
}

impl Delay {
    /// The operations of a generator at exactly this rate, in operations a second.
    pub fn new(rate_hz: f64, of: impl Generator + 'static) -> Delay {
        Delay { gap_ns: 1e9 / rate_hz, began: None, taken: 0, of: Box::new(of) }
    }
}

impl Generator for Delay {
    fn poll(&mut self, context: &Context) -> Poll {
        let began = *self.began.get_or_insert(context.now);
        let next = Nanos(began.0 + (self.taken as f64 * self.gap_ns) as u64);
        after(next, self.of.as_mut(), context)
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.taken += 1;
        self.of.take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.update(context, worker, event);
    }
}

fn after(moment: Nanos, of: &mut dyn Generator, context: &Context) -> Poll {
    match of.poll(context) {
        Poll::Ready if context.now < moment => Poll::At(moment),
        Poll::At(later) => Poll::At(later.max(moment)),
        other => other,
    }
}
