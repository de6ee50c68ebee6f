//! A run without a system: generators tested on a clock that jumps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elenchus_core::{Context, Encoded, Event, Generator, Invocation, Kind, Nanos, NodeIndex, Poll, Process, WorkerSet};

/// An invocation, and when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// When it was invoked.
    pub time: Nanos,
    /// When it completed.
    pub end: Nanos,
    /// The invocation.
    pub invocation: Invocation,
}

/// Runs a generator on so many workers and nodes; `outcome` decides how long each operation takes and how it ends. Stops at `until`, or when the generator is done.
///
/// # Panics
/// When the generator breaks its contract: it uses a worker that is busy or not its own, or waits forever while no worker is busy. Simulations are for tests.
pub fn simulate(
    generator: &mut dyn Generator,
    workers: usize,
    nodes: usize,
    until: Nanos,
    mut outcome: impl FnMut(&Invocation) -> (Nanos, Kind),
) -> Vec<Moment> {
    let all = WorkerSet::first_n(workers);
    let mut context = Context { now: Nanos::ZERO, free: all, workers: all, nodes };
    let mut moments: Vec<Moment> = Vec::new();
    let mut busy: BinaryHeap<Reverse<(Nanos, usize, u8)>> = BinaryHeap::new();
    loop {
        let wake = match generator.poll(&context) {
            Poll::Ready => {
                let invocation = generator.take(&context);
                assert!(context.free.contains(invocation.worker), "worker {} is not free", invocation.worker.0);
                context.free.remove(invocation.worker);
                let (latency, kind) = outcome(&invocation);
                let end = Nanos(context.now.0 + latency.0);
                generator.update(&context, invocation.worker, &event(context.now, Kind::Invoke, &invocation, nodes));
                busy.push(Reverse((end, moments.len(), kind as u8)));
                moments.push(Moment { time: context.now, end, invocation });
                continue;
            }
            Poll::At(moment) => {
                assert!(moment > context.now, "a generator waits for a moment that is past");
                Some(moment)
            }
            Poll::Pending => None,
            Poll::Done => return moments,
        };
        let next_end = busy.peek().map(|Reverse((end, _, _))| *end);
        let Some(next) = wake.into_iter().chain(next_end).min() else { panic!("a generator waits while no worker is busy") };
        if next >= until {
            return moments;
        }
        context.now = next;
        while let Some(Reverse((end, at, kind))) = busy.peek().copied()
            && end <= context.now
        {
            busy.pop();
            let kind = [Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info][usize::from(kind)];
            let invocation = moments[at].invocation.clone();
            generator.update(&context, invocation.worker, &event(end, kind, &invocation, nodes));
            context.free.insert(invocation.worker);
        }
    }
}

fn event(time: Nanos, kind: Kind, invocation: &Invocation, nodes: usize) -> Event {
    let Encoded { f, key, value } = invocation.request.encode();
    let node = invocation.node.unwrap_or_else(|| NodeIndex::round_robin(invocation.worker, nodes));
    Event { time, process: Process::Client(u32::from(invocation.worker.0)), kind, f, key, value, error: None, node: Some(node) }
}

#[cfg(test)]
mod tests;
