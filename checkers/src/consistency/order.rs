//! Total orders of all accesses: a likely one, and topological orders of a precedence.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use elenchus_core::Kind;
use rustc_hash::FxHashMap;

use super::link::{Link, Scope};
use super::registers::{AccessId, AccessKind, Registers, Source};

/// The estimated time at which an access takes effect, and its version: accesses of one version stay together.
pub(crate) type Point = (u64, AccessId);

/// Returns by access the point at which it took effect, if the registers are linearizable and have no compare-and-set; otherwise an
/// estimate. O(n log n).
///
/// A write and its reads form a cluster, whose zone lies between its first return and its last invocation (Gibbons & Korach, Testing Shared
/// Memories, 1997). In a forward zone (the first return is earlier) the value was certainly present throughout, and no other cluster fits
/// in; in a backward zone the whole cluster fits at one point of the zone, outside the forward zones.
pub(crate) fn points(registers: &Registers<'_, '_>) -> Vec<Point> {
    let interval = |id: AccessId| {
        let operation = registers.operation(id);
        let end = operation.completed.filter(|_| operation.kind == Kind::Ok);
        (u64::from(operation.invoked.0) + 1, end.map_or(u64::MAX >> 2, |end| u64::from(end.0) + 1))
    };
    // By cluster: the first return and the last invocation.
    let mut zones: FxHashMap<(u32, AccessId), (u64, u64)> = FxHashMap::default();
    let cluster = |id: AccessId| {
        let access = registers.access(id);
        match access.kind {
            AccessKind::Write => (access.key, id),
            AccessKind::Read(Source::Write(write)) => (access.key, write),
            AccessKind::Read(Source::Initial) => (access.key, AccessId::MAX),
        }
    };
    for (id, _) in registers.numbered() {
        let (invoked, returned) = interval(id);
        let cluster = cluster(id);
        let nothing = if cluster.1 == AccessId::MAX { (0, 0) } else { (u64::MAX, 0) };
        let zone = zones.entry(cluster).or_insert(nothing);
        *zone = (zone.0.min(returned), zone.1.max(invoked));
    }
    let mut forward: Vec<(u32, u64, u64)> =
        zones.iter().filter(|(_, zone)| zone.0 < zone.1).map(|(cluster, zone)| (cluster.0, zone.0, zone.1)).collect();
    forward.sort_unstable();
    let point = |id: AccessId| {
        let (first_return, last_invocation) = zones[&cluster(id)];
        if first_return < last_invocation {
            let is_write = registers.access(id).kind == AccessKind::Write;
            return 2 * if is_write { first_return } else { first_return.max(interval(id).0) };
        }
        let key = registers.access(id).key;
        let before = forward.partition_point(|zone| (zone.0, zone.1) < (key, last_invocation));
        match before.checked_sub(1).map(|at| forward[at]) {
            Some((same, _, end)) if same == key && last_invocation < end => 2 * end + 1,
            _ => 2 * last_invocation,
        }
    };
    registers.numbered().map(|(id, _)| (point(id), cluster(id).1)).collect()
}

/// Returns a topological order of all accesses by session order, the reads-from in scope, and links; the lowest point first where there is a
/// choice. `None` if these are cyclic. O((n + links) log n).
pub(crate) fn topological_order(registers: &Registers<'_, '_>, scope: Scope, links: &[Link], points: &[Point]) -> Option<Vec<AccessId>> {
    let count = registers.accesses.len();
    let mut awaited = vec![0_u32; count];
    let mut onward: FxHashMap<AccessId, Vec<AccessId>> = FxHashMap::default();
    for link in links {
        awaited[link.to as usize] += 1;
        onward.entry(link.from).or_default().push(link.to);
    }
    for (id, access) in registers.numbered() {
        awaited[id as usize] += u32::from(id != registers.session_start(id));
        awaited[id as usize] += u32::from(scope.source(access).is_some());
    }
    let mut ready: BinaryHeap<Reverse<(Point, AccessId)>> =
        (0..count as AccessId).filter(|&id| awaited[id as usize] == 0).map(|id| Reverse((points[id as usize], id))).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse((_, id))) = ready.pop() {
        order.push(id);
        let access = registers.access(id);
        let next = Some(id + 1).filter(|&next| next < registers.sessions[access.session as usize].end);
        let readers = if access.kind == AccessKind::Write { registers.readers.of_write(id) } else { &[] };
        let readers = readers.iter().copied().filter(|&reader| scope.source(registers.access(reader)).is_some());
        for after in next.into_iter().chain(readers).chain(onward.get(&id).into_iter().flatten().copied()) {
            awaited[after as usize] -= 1;
            if awaited[after as usize] == 0 {
                ready.push(Reverse((points[after as usize], after)));
            }
        }
    }
    (order.len() == count).then_some(order)
}

/// Returns whether every read, in this order, returns the latest write, with nothing between the halves of a compare-and-set: then the
/// history is sequentially consistent. O(n).
pub(crate) fn is_legal(registers: &Registers<'_, '_>, order: &[AccessId]) -> bool {
    let mut held = vec![Source::Initial; registers.keys.len()];
    order.iter().all(|&id| {
        let access = registers.access(id);
        let held = &mut held[access.key as usize];
        match (access.kind, read_of_cas(registers, id)) {
            (AccessKind::Read(source), _) => *held == source,
            (AccessKind::Write, Some(read)) if registers.access(read).kind != AccessKind::Read(*held) => false,
            (AccessKind::Write, _) => {
                *held = Source::Write(id);
                true
            }
        }
    })
}

/// Returns the read of a compare-and-set, given its write.
pub(crate) fn read_of_cas(registers: &Registers<'_, '_>, write: AccessId) -> Option<AccessId> {
    let read = write.checked_sub(1)?;
    (registers.access(read).operation == registers.access(write).operation).then_some(read)
}

/// Returns the write of a compare-and-set, given its read.
pub(crate) fn write_of_cas(registers: &Registers<'_, '_>, read: AccessId) -> Option<AccessId> {
    let write = registers.accesses.get(read as usize + 1)?;
    (write.operation == registers.access(read).operation).then_some(read + 1)
}
