//! Latency, jitter, loss, duplication, reordering, corruption and a rate limit in user space, for kernels without netem.
//!
//! The firewall queues outgoing packets to this process (NFQUEUE). A packet without delay gets its verdict at once, altered or not. A
//! delayed packet is taken out of the kernel and sent later through a raw socket, with a mark that keeps it from being queued again. So the
//! sender's TCP does not count it as still in its own queue, and firewall rules count it once.
//!
//! When this process dies, the effect ends: packets pass a queue without a listener (`queue-bypass`). Packets held then are lost, as with
//! netem.

mod impairment;
mod packet;
mod queue;
mod sender;
mod settings;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

pub use settings::{Distribution, Settings};

use crate::{Result, failed};
use impairment::Impairment;
use queue::{Queue, QueuedPacket};
use sender::Sender;

/// The number of the NFQUEUE.
pub const QUEUE: u16 = 0xe1e;

/// The mark of packets that are sent by this process.
pub const MARK: u32 = 0xe1e;

/// The most packets that are held, as with netem; further ones are dropped.
const MAX_PACKETS: usize = 100_000;

/// The most bytes that are held.
const MAX_BYTES: usize = 256 << 20;

/// The length of the Ethernet header in bytes, which counts towards the rate.
const ETHERNET_HEADER: usize = 14;

/// A packet, when to send it, and through which device. The sequence number keeps the order of packets that are due at the same time.
type HeldPacket = Reverse<(Instant, u64, Vec<u8>, u32)>;

#[derive(Default)]
struct Waiting {
    packets: BinaryHeap<HeldPacket>,
    bytes: usize,
    count: u64,
}

#[derive(Default)]
struct DelayQueue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl DelayQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Holds a packet until its time. False when the limit is reached, so that the packet is dropped.
    fn hold(&self, until: Instant, bytes: Vec<u8>, device: u32) -> bool {
        let mut waiting = self.lock();
        if waiting.packets.len() >= MAX_PACKETS || waiting.bytes + bytes.len() > MAX_BYTES {
            return false;
        }
        waiting.count += 1;
        waiting.bytes += bytes.len();
        let count = waiting.count;
        waiting.packets.push(Reverse((until, count, bytes, device)));
        self.changed.notify_one();
        true
    }

    /// Waits for the next packet that is due.
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

/// Impairs packets until the process is killed. The seed decides every random choice.
///
/// # Errors
/// When the queue or a raw socket cannot be opened.
pub fn run(settings: &Settings, seed: u64) -> Result<()> {
    let mut queue = Queue::bind(QUEUE)?;
    let sender = Sender::open(MARK)?;
    let delayed = Arc::new(DelayQueue::default());
    let (held, bits) = (Arc::clone(&delayed), settings.rate);
    let thread = std::thread::Builder::new().spawn(move || send_due(&held, &sender, bits));
    thread.map_err(failed("starting a thread"))?;
    let mut impairment = Impairment::new(settings, seed);
    loop {
        process_packet(&mut queue, &delayed, &mut impairment)?;
    }
}

/// Receives one packet and decides what happens to it.
fn process_packet(queue: &mut Queue, delayed: &DelayQueue, impairment: &mut Impairment) -> Result<()> {
    let QueuedPacket { id, device, bytes, is_whole } = queue.next()?;
    let mut copies = impairment.copies();
    if !is_whole {
        // It exceeds the longest payload of a netlink attribute by up to four bytes: it can be dropped or accepted only.
        return if copies.is_empty() { queue.drop(id) } else { queue.accept(id, None) };
    }
    // A copy without delay is accepted in the kernel; the others are sent later.
    let immediate = copies.iter().position(|copy| copy.delay.is_zero() && !impairment.is_paced());
    let immediate = immediate.map(|at| copies.swap_remove(at));
    let now = Instant::now();
    for copy in copies {
        let mut bytes = bytes.clone();
        copy.flip.inspect(|&random| packet::flip(&mut bytes, random));
        delayed.hold(now + copy.delay, bytes, device);
    }
    match immediate.map(|copy| copy.flip) {
        None => queue.drop(id),
        Some(None) => queue.accept(id, None),
        Some(Some(random)) => {
            let mut bytes = bytes;
            packet::flip(&mut bytes, random);
            queue.accept(id, Some(&bytes))
        }
    }
}

/// Sends held packets when they are due, at most `bits` bits per second.
fn send_due(delayed: &DelayQueue, sender: &Sender, bits: Option<u64>) {
    let mut free = Instant::now();
    loop {
        let (until, bytes, device) = delayed.due();
        // A packet that the kernel rejects is lost, as it would be without this process.
        let _ = sender.send(&bytes, device);
        if let Some(bits) = bits {
            let nanos = (bytes.len() + ETHERNET_HEADER) as u128 * 8 * 1_000_000_000 / u128::from(bits.max(1));
            free = free.max(until) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            std::thread::sleep(free.saturating_duration_since(Instant::now()));
        }
    }
}

/// Fails unless [`run`] can work here. Tries it in a new network namespace.
///
/// # Errors
/// The reason why it does not work.
pub fn trial() -> Result<()> {
    sender::enter_new_network()?;
    Queue::bind(QUEUE)?;
    Sender::open(MARK).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_sent_when_due_and_in_order() {
        let (delayed, now) = (DelayQueue::default(), Instant::now());
        for (late, byte) in [(2, 1), (0, 2), (2, 3), (1, 4)] {
            assert!(delayed.hold(now + Duration::from_millis(late), vec![byte], 0));
        }
        let sent: Vec<u8> = (0..4).map(|_| delayed.due().1[0]).collect();
        assert_eq!(sent, [2, 4, 1, 3]);
        assert!(now.elapsed() >= Duration::from_millis(2));
        assert_eq!(delayed.lock().bytes, 0);
    }

    #[test]
    fn packets_beyond_the_limits_are_dropped() {
        let delayed = DelayQueue::default();
        assert!(!delayed.hold(Instant::now(), vec![0; MAX_BYTES + 1], 0));
        for _ in 0..MAX_PACKETS {
            assert!(delayed.hold(Instant::now(), Vec::new(), 0));
        }
        assert!(!delayed.hold(Instant::now(), Vec::new(), 0));
    }
}
