//! A link that is late or untrustworthy, in user space, for kernels without netem.
//!
//! The firewall hands the packets over (NFQUEUE), before anything else of the kernel has seen them. What is to go at once, altered or not, goes on from there. What
//! is to be late is taken out of the kernel and sent again when its time has come, by a raw socket whose mark keeps it from being handed over once more: so the sender
//! does not wait for it, as TCP would for a packet that is still in the kernel, and rules see it once.
//!
//! Whoever ends this process ends its effect: the kernel lets packets pass that nobody takes (`queue-bypass`). What it holds then is lost, as with netem.

mod chance;
mod packet;
mod queue;
mod settings;
mod wire;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use settings::{Distribution, Settings};

use crate::{Result, failed};
use chance::Chance;
use queue::{Handed, Queue};
use wire::Wire;

/// The number of the queue by which packets are handed over.
pub const QUEUE: u16 = 0xe1e;

/// The mark of packets that are sent again.
pub const MARK: u32 = 0xe1e;

/// How many packets are held at most, as many as with netem; what comes besides is lost.
const MOST_PACKETS: usize = 100_000;

/// How many bytes of them.
const MOST_BYTES: usize = 256 << 20;

/// What the kernel adds to each packet on the wire, in bytes.
const FRAMING: usize = 14;

/// A packet and when it goes. The second number keeps those of the same moment in their order.
type Held = Reverse<(Instant, u64, Vec<u8>, u32)>;

#[derive(Default)]
struct Waiting {
    packets: BinaryHeap<Held>,
    bytes: usize,
    count: u64,
}

#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Holds a packet until its time has come. False when it is lost, as too much is held.
    fn hold(&self, until: Instant, bytes: Vec<u8>, device: u32) -> bool {
        let mut waiting = self.lock();
        if waiting.packets.len() >= MOST_PACKETS || waiting.bytes + bytes.len() > MOST_BYTES {
            return false;
        }
        waiting.count += 1;
        waiting.bytes += bytes.len();
        let count = waiting.count;
        waiting.packets.push(Reverse((until, count, bytes, device)));
        self.changed.notify_one();
        true
    }

    /// Waits for the next packet whose time has come.
    fn due(&self) -> (Instant, Vec<u8>, u32) {
        let mut waiting = self.lock();
        loop {
            let left = waiting.packets.peek().map(|Reverse((until, ..))| until.saturating_duration_since(Instant::now()));
            waiting = match left {
                Some(Duration::ZERO) => {
                    if let Some(Reverse((until, _, bytes, device))) = waiting.packets.pop() {
                        waiting.bytes -= bytes.len();
                        return (until, bytes, device);
                    }
                    waiting
                }
                Some(left) => self.changed.wait_timeout(waiting, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0,
                None => self.changed.wait(waiting).unwrap_or_else(|poisoned| poisoned.into_inner()),
            };
        }
    }
}

/// Does to packets what is set until it is killed. The seed decides what is left to chance.
///
/// # Errors
/// When packets cannot be had or sent here.
pub fn run(settings: &Settings, seed: u64) -> Result<()> {
    let mut queue = Queue::bind(QUEUE)?;
    let wire = Wire::open(MARK)?;
    let line = Arc::new(Line::default());
    let (releasing, bits) = (Arc::clone(&line), settings.rate);
    let thread = std::thread::Builder::new().spawn(move || release(&releasing, &wire, bits));
    thread.map_err(failed("starting a thread"))?;
    let mut chance = Chance::new(settings, seed);
    loop {
        pass(&mut queue, &line, &mut chance)?;
    }
}

/// Takes one packet and decides what becomes of it.
fn pass(queue: &mut Queue, line: &Line, chance: &mut Chance) -> Result<()> {
    let Handed { id, device, bytes, is_whole } = queue.next()?;
    let mut copies = chance.copies();
    if !is_whole {
        // Longer than what can be handed over, by four bytes at most: it can be lost, and no more.
        return if copies.is_empty() { queue.drop(id) } else { queue.accept(id, None) };
    }
    // One that need not wait goes on from where it is; the others are sent anew.
    let at_once = copies.iter().position(|copy| copy.delay.is_zero() && !chance.is_paced());
    let at_once = at_once.map(|at| copies.swap_remove(at));
    let now = Instant::now();
    for copy in copies {
        let mut bytes = bytes.clone();
        copy.flip.inspect(|&random| packet::flip(&mut bytes, random));
        line.hold(now + copy.delay, bytes, device);
    }
    match at_once.map(|copy| copy.flip) {
        None => queue.drop(id),
        Some(None) => queue.accept(id, None),
        Some(Some(random)) => {
            let mut bytes = bytes;
            packet::flip(&mut bytes, random);
            queue.accept(id, Some(&bytes))
        }
    }
}

/// Sends what is held when its time has come, at most so many bits a second.
fn release(line: &Line, wire: &Wire, bits: Option<u64>) {
    let mut free = Instant::now();
    loop {
        let (until, bytes, device) = line.due();
        // What the kernel does not take is lost, as it would be without us.
        let _ = wire.send(&bytes, device);
        if let Some(bits) = bits {
            let nanos = (bytes.len() + FRAMING) as u128 * 8 * 1_000_000_000 / u128::from(bits.max(1));
            free = free.max(until) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            std::thread::sleep(free.saturating_duration_since(Instant::now()));
        }
    }
}

/// Fails unless [`run`] can work here: tried in a network of its own, where it touches nobody.
///
/// # Errors
/// What is missing.
pub fn trial() -> Result<()> {
    wire::leave_network()?;
    Queue::bind(QUEUE)?;
    Wire::open(MARK).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_go_when_their_time_has_come_and_in_their_order() {
        let (line, now) = (Line::default(), Instant::now());
        for (late, byte) in [(2, 1), (0, 2), (2, 3), (1, 4)] {
            assert!(line.hold(now + Duration::from_millis(late), vec![byte], 0));
        }
        let sent: Vec<u8> = (0..4).map(|_| line.due().1[0]).collect();
        assert_eq!(sent, [2, 4, 1, 3]);
        assert!(now.elapsed() >= Duration::from_millis(2));
        assert_eq!(line.lock().bytes, 0);
    }

    #[test]
    fn what_is_too_much_is_lost() {
        let line = Line::default();
        assert!(!line.hold(Instant::now(), vec![0; MOST_BYTES + 1], 0));
        for _ in 0..MOST_PACKETS {
            assert!(line.hold(Instant::now(), Vec::new(), 0));
        }
        assert!(!line.hold(Instant::now(), Vec::new(), 0));
    }
}
