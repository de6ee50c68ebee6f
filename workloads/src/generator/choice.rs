//! One of several.

use elenchus_core::{Context, Event, Generator, Invocation, Poll, Rng, Worker};

/// One of several, drawn anew for each operation by weight. Done when the one drawn is.
pub struct Mix {
    of: Vec<(u64, Box<dyn Generator>)>,
    rng: Rng,
    drawn: Option<usize>,
}

impl Mix {
    /// A mix by these weights; one of weight 0 is never drawn.
    pub fn new(of: Vec<(u64, Box<dyn Generator>)>, rng: Rng) -> Mix {
        Mix { of, rng, drawn: None }
    }

    fn draw(&mut self) -> Option<usize> {
        let total = self.of.iter().map(|(weight, _)| weight).sum();
        let mut ticket = self.rng.below(total);
        self.of.iter().position(|(weight, _)| {
            let drawn = ticket < *weight;
            ticket = ticket.saturating_sub(*weight);
            drawn
        })
    }
}

impl Generator for Mix {
    fn poll(&mut self, context: &Context) -> Poll {
        let drawn = match self.drawn {
            Some(drawn) => Some(drawn),
            None => self.draw(),
        };
        self.drawn = drawn;
        drawn.map_or(Poll::Done, |at| self.of[at].1.poll(context))
    }

    fn take(&mut self, context: &Context) -> Invocation {
        let at = self.drawn.take().unwrap_or(0);
        self.of[at].1.take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.iter_mut().for_each(|(_, generator)| generator.update(context, worker, event));
    }
}

/// One operation of each in turn. Done when the next in turn is done.
pub struct FlipFlop {
    of: Vec<Box<dyn Generator>>,
    turn: usize,
}

impl FlipFlop {
    /// These in turn, beginning with the first.
    pub fn new(of: Vec<Box<dyn Generator>>) -> FlipFlop {
        FlipFlop { of, turn: 0 }
    }
}

impl Generator for FlipFlop {
    fn poll(&mut self, context: &Context) -> Poll {
        self.of.get_mut(self.turn).map_or(Poll::Done, |generator| generator.poll(context))
    }

    fn take(&mut self, context: &Context) -> Invocation {
        let turn = self.turn;
        self.turn = (turn + 1) % self.of.len();
        self.of[turn].take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.of.iter_mut().for_each(|generator| generator.update(context, worker, event));
    }
}

/// Starts again when it is done, forever.
pub struct Cycle<F> {
    make: F,
    current: Box<dyn Generator>,
}

impl<F: FnMut() -> Box<dyn Generator> + Send> Cycle<F> {
    /// The generators that this function makes, one after another.
    pub fn new(mut make: F) -> Cycle<F> {
        let current = make();
        Cycle { make, current }
    }
}

impl<F: FnMut() -> Box<dyn Generator> + Send> Generator for Cycle<F> {
    fn poll(&mut self, context: &Context) -> Poll {
        match self.current.poll(context) {
            Poll::Done => {
                self.current = (self.make)();
                // A generator that is done at once would be polled forever.
                self.current.poll(context)
            }
            other => other,
        }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.current.take(context)
    }

    fn update(&mut self, context: &Context, worker: Worker, event: &Event) {
        self.current.update(context, worker, event);
    }
}
