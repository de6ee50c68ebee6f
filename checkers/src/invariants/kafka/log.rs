//! The contents of each log, as far as operations revealed them.

use elenchus_core::Kind;

use super::super::{Part, Report};
use super::Evidence;
use super::steps::{Seen, Steps};

/// One message at one offset of one partition.
type Entry = (u32, i64, u32);

/// The order of the messages in each partition.
pub(super) struct Log {
    /// Sorted, without duplicates.
    entries: Vec<Entry>,
    /// The rank of each entry's offset in its log, from 0.
    places: Vec<u32>,
    /// The first and the last rank of each message in its log, if any of its offsets is known.
    ranks: Vec<Option<(u32, u32)>>,
    /// Whether each operation's sends are known to be in the log.
    committed: Vec<bool>,
}

impl Log {
    /// Reconstructs the logs. O(n log n).
    pub(super) fn new(part: &Part<'_>, steps: &Steps<'_>) -> Log {
        let is_read = |seen: &Seen| seen.sends && steps.message(seen).reader.is_some();
        let commits = |(at, kind): (usize, Kind)| kind == Kind::Ok || kind == Kind::Info && steps.of(at).iter().any(is_read);
        let committed: Vec<bool> = part.operations.iter().map(|it| it.kind).enumerate().map(commits).collect();
        let mut entries: Vec<Entry> = Vec::new();
        // Most messages are seen often, but at one offset: avoid collecting the same entry again.
        let mut usual: Vec<Option<i64>> = vec![None; steps.messages.len()];
        for (at, committed) in committed.iter().enumerate() {
            for seen in steps.of(at).iter().filter(|seen| *committed || !seen.sends) {
                let usual = &mut usual[seen.message as usize];
                let Some(offset) = seen.offset.filter(|offset| *usual != Some(*offset)) else {
                    continue;
                };
                usual.get_or_insert(offset);
                entries.push((steps.message(seen).key, offset, seen.message));
            }
        }
        entries.sort_unstable();
        entries.dedup();
        let mut ranks: Vec<Option<(u32, u32)>> = vec![None; steps.messages.len()];
        let mut places = Vec::with_capacity(entries.len());
        for (rank, group) in ranked(&entries) {
            for (.., message) in group {
                let first = ranks[*message as usize].map_or(rank, |(first, _)| first);
                ranks[*message as usize] = Some((first, rank));
                places.push(rank);
            }
        }
        Log { entries, places, ranks, committed }
    }

    /// Returns whether an operation's sends are known to be in the log.
    pub(super) fn is_committed(&self, operation: u32) -> bool {
        self.committed[operation as usize]
    }

    /// Returns the first and the last rank of a message.
    pub(super) fn ranks(&self, message: u32) -> Option<(u32, u32)> {
        self.ranks[message as usize]
    }

    /// Returns the rank of a message as it was seen; `None` if its offset is unknown or ambiguous.
    pub(super) fn rank(&self, steps: &Steps<'_>, seen: &Seen) -> Option<u32> {
        match (self.ranks(seen.message)?, seen.offset) {
            ((first, last), _) if first == last => Some(first),
            (_, None) => None,
            (_, Some(offset)) => {
                let entry = (steps.message(seen).key, offset, seen.message);
                self.entries.binary_search(&entry).ok().map(|at| self.places[at])
            }
        }
    }

    /// Reports offsets with several messages, and messages at several offsets.
    pub(super) fn report(&self, part: &Part<'_>, steps: &Steps<'_>, report: &mut Report) {
        let mut places: Vec<(u32, i64)> = Vec::new();
        for (_, group) in ranked(&self.entries) {
            if let [first, second, ..] = group {
                report.found("inconsistent-offsets", || {
                    let proof = [first, second].into_iter().filter_map(|entry| steps.witness(part, entry.2, Some(entry.1)));
                    let description =
                        format!("Offset {} has {} and another message, {}.", first.1, steps.describe(first.2), steps.describe(second.2));
                    Evidence::new(description, proof)
                });
            }
            let several = group.iter().filter(|entry| self.ranks(entry.2).is_some_and(|(first, last)| first != last));
            places.extend(several.map(|entry| (entry.2, entry.1)));
        }
        places.sort_unstable();
        for group in places.chunk_by(|a, b| a.0 == b.0) {
            if let [(message, first), (_, second), ..] = group {
                report.found("duplicate", || {
                    let proof = [*first, *second].into_iter().filter_map(|offset| steps.witness(part, *message, Some(offset)));
                    let description =
                        format!("{} is at {} offsets, among them {first} and {second}.", steps.describe(*message), group.len());
                    Evidence::new(description, proof)
                });
            }
        }
    }
}

/// Returns the entries of each offset, with its rank in its log.
fn ranked(entries: &[Entry]) -> impl Iterator<Item = (u32, &[Entry])> {
    let (mut rank, mut key) = (0, None);
    entries.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).map(move |group| {
        let this = group.first().map(|entry| entry.0);
        rank = if this == key { rank + 1 } else { 0 };
        key = this;
        (rank, group)
    })
}
