//! The certain staleness of reads, in versions and time.
//!
//! A version was certainly visible from the first return of its write or of a read of it. A version whose write began after that is certainly
//! newer. A read is stale by the number of versions that were certainly newer than the one it returned and certainly visible when it began, and
//! for as long as the first of them had been. The true staleness, which no history shows, is at least this (compare Golab, Li & Shah, Analyzing
//! Consistency Properties for Fun and Profit, 2011).

use elenchus_core::{Anomaly, History, Kind, Nanos};
use serde_json::json;

use super::registers::{AccessId, AccessKind, Registers, Source};
use super::wording::{count, describe};

/// The certain staleness of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) read: AccessId,
    pub(crate) versions: u32,
    pub(crate) age: Nanos,
}

/// A version: the invocation of its write, and from when on it was certainly visible, because of which access. Both count events from 1.
#[derive(Clone, Copy, Debug)]
struct Version {
    begun: u32,
    visible: u32,
    shown_by: AccessId,
    write: Source,
}

/// The certain staleness of all reads with a known source.
pub(crate) struct Staleness<'r, 't, 'h> {
    pub(crate) registers: &'r Registers<'t, 'h>,
    /// By key: its versions in order of invocation, the initial one first.
    versions: Vec<Vec<Version>>,
    /// The staleness of every read, in order of number.
    pub(crate) reads: Vec<Stale>,
}

impl<'r, 't, 'h> Staleness<'r, 't, 'h> {
    /// Measures every read. O(n log n).
    pub(crate) fn new(history: &History, registers: &'r Registers<'t, 'h>) -> Staleness<'r, 't, 'h> {
        let mut by_key: Vec<Vec<AccessId>> = vec![Vec::new(); registers.keys.len()];
        for (id, access) in registers.numbered() {
            by_key[access.key as usize].push(id);
        }
        let versions: Vec<Vec<Version>> = by_key.iter().map(|accesses| versions(registers, accesses)).collect();
        let mut staleness = Staleness { registers, versions, reads: Vec::new() };
        for (key, accesses) in by_key.iter().enumerate() {
            staleness.measure(history, key, accesses);
        }
        staleness.reads.sort_unstable_by_key(|stale| stale.read);
        staleness
    }

    fn measure(&mut self, history: &History, key: usize, accesses: &[AccessId]) {
        let registers = self.registers;
        let versions = &self.versions[key];
        // By position in `versions`: the first event at which this version or a later one was certainly visible.
        let mut first_visible: Vec<u32> = versions.iter().map(|version| version.visible).collect();
        for at in (1..first_visible.len()).rev() {
            first_visible[at - 1] = first_visible[at - 1].min(first_visible[at]);
        }
        let mut arrivals: Vec<(u32, usize)> = versions.iter().enumerate().map(|(at, version)| (version.visible, at)).collect();
        arrivals.sort_unstable();
        let mut reads: Vec<(u32, AccessId, u32)> = accesses
            .iter()
            .filter_map(|&id| match registers.access(id).kind {
                AccessKind::Read(source) => Some((registers.operation(id).invoked.0 + 1, id, visible(versions, registers, source))),
                AccessKind::Write => None,
            })
            .collect();
        reads.sort_unstable();
        let (mut present, mut arrived) = (FenwickTree::new(versions.len()), 0);
        for (invoked, read, found_visible) in reads {
            while let Some(&(_, at)) = arrivals.get(arrived).filter(|&&(visible, _)| visible < invoked) {
                present.add(at);
                arrived += 1;
            }
            let newer = versions.partition_point(|version| version.begun <= found_visible);
            let since = first_visible.get(newer).copied().unwrap_or(u32::MAX);
            let time = |event: u32| history.event(elenchus_core::EventIndex(event - 1)).time;
            let age = if since < invoked { time(invoked).since(time(since)) } else { Nanos::ZERO };
            self.reads.push(Stale { read, versions: present.from(newer), age });
        }
    }

    /// Returns the stalest read by versions and the stalest by age, if any read was stale.
    pub(crate) fn worst(&self) -> (Option<Stale>, Option<Stale>) {
        let by_versions = self.reads.iter().filter(|stale| stale.versions > 0).max_by_key(|stale| (stale.versions, stale.age));
        let by_age = self.reads.iter().filter(|stale| stale.age > Nanos::ZERO).max_by_key(|stale| (stale.age, stale.versions));
        (by_versions.copied(), by_age.copied())
    }

    /// Explains why a read was stale, with at most `most` newer versions.
    pub(crate) fn explain(&self, stale: Stale, most: usize) -> Anomaly {
        let registers = self.registers;
        let access = registers.access(stale.read);
        let versions = &self.versions[access.key as usize];
        let source = if let AccessKind::Read(source) = access.kind { source } else { Source::Initial };
        let found_visible = visible(versions, registers, source);
        let read = registers.operation(stale.read);
        let newer = versions.iter().filter(|version| version.begun > found_visible && version.visible <= read.invoked.0);
        let mut accesses = vec![stale.read];
        let mut argument = Vec::new();
        let text = |id: AccessId| describe(registers.operation(id));
        match (source, versions.iter().find(|version| version.write == source)) {
            (Source::Write(write), Some(version)) if version.shown_by != write => {
                accesses.extend([write, version.shown_by]);
                argument.push(format!("The value of {} was visible when {} returned.", text(write), text(version.shown_by)));
            }
            (Source::Write(write), _) => {
                accesses.push(write);
                argument.push(format!("The value of {} was visible when it returned.", text(write)));
            }
            (Source::Initial, _) => argument.push("The initial value was visible from the beginning.".to_owned()),
        }
        for version in newer.take(most) {
            let Source::Write(write) = version.write else { continue };
            accesses.extend([write, version.shown_by]);
            argument.push(if version.shown_by == write {
                format!("{} began later and returned before the read began.", text(write))
            } else {
                format!("{} began later, and {} returned its value before the read began.", text(write), text(version.shown_by))
            });
        }
        argument.push(format!("But {} still returned the first of these values.", describe(read)));
        let mut operations: Vec<_> = accesses.into_iter().map(|id| registers.operation(id).invoked).collect();
        operations.sort_unstable();
        operations.dedup();
        Anomaly {
            name: "stale-read".to_owned(),
            key: read.key.cloned(),
            description: format!(
                "A read was stale by at least {} and {:.3} ms.",
                count(u64::from(stale.versions), "version"),
                stale.age.as_millis_f64()
            ),
            operations,
            argument,
            ..Anomaly::default()
        }
    }

    /// Returns the statistics for the finding's details: the number of reads by staleness in versions, and quantiles of the age of stale reads.
    pub(crate) fn details(&self) -> serde_json::Value {
        const SHOWN: usize = 8;
        let mut by_versions = vec![0_u64; SHOWN + 1];
        self.reads.iter().for_each(|stale| by_versions[(stale.versions as usize).min(SHOWN)] += 1);
        let names = (0..=SHOWN).map(|versions| if versions == SHOWN { format!("{SHOWN}+") } else { versions.to_string() });
        let by_versions: serde_json::Map<_, _> = names.zip(by_versions).map(|(name, reads)| (name, reads.into())).collect();
        let mut ages: Vec<u64> = self.reads.iter().filter(|stale| stale.versions > 0).map(|stale| stale.age.0).collect();
        ages.sort_unstable();
        let quantile = |share: f64| ages.get(((ages.len().saturating_sub(1)) as f64 * share).round() as usize).copied().unwrap_or_default();
        let (versions, age) = self.worst();
        let event = |stale: Option<Stale>| stale.map(|stale| self.registers.operation(stale.read).invoked);
        json!({
            "reads": self.reads.len(),
            "stale_reads": ages.len(),
            "worst_versions": versions.map_or(0, |stale| stale.versions),
            "worst_versions_read": event(versions),
            "worst_age_ns": age.map_or(0, |stale| stale.age.0),
            "worst_age_read": event(age),
            "reads_by_versions": by_versions,
            "stale_age_ns": { "p50": quantile(0.5), "p90": quantile(0.9), "p99": quantile(0.99), "max": quantile(1.0) },
        })
    }
}

/// Returns the versions of one key. Events are counted from 1: at 0 the initial version is visible.
fn versions(registers: &Registers<'_, '_>, accesses: &[AccessId]) -> Vec<Version> {
    let end = |id: AccessId| {
        let operation = registers.operation(id);
        operation.completed.filter(|_| operation.kind == Kind::Ok).map_or(u32::MAX, |end| end.0 + 1)
    };
    let mut versions = vec![Version { begun: 0, visible: 0, shown_by: 0, write: Source::Initial }];
    for &write in accesses.iter().filter(|&&id| registers.access(id).kind == AccessKind::Write) {
        let begun = registers.operation(write).invoked.0 + 1;
        let shown = std::iter::once(write).chain(registers.readers.of_write(write).iter().copied()).map(|id| (end(id), id)).min();
        let (visible, shown_by) = shown.unwrap_or((u32::MAX, write));
        versions.push(Version { begun, visible: visible.max(begun), shown_by, write: Source::Write(write) });
    }
    versions.sort_unstable_by_key(|version| version.begun);
    versions
}

/// Returns from when on a version was certainly visible.
fn visible(versions: &[Version], registers: &Registers<'_, '_>, source: Source) -> u32 {
    let Source::Write(write) = source else { return 0 };
    let begun = registers.operation(write).invoked.0 + 1;
    versions.binary_search_by_key(&begun, |version| version.begun).map_or(u32::MAX, |at| versions[at].visible)
}

/// A Fenwick tree that counts the occupied positions from one on (Fenwick, 1994).
struct FenwickTree {
    sums: Vec<u32>,
}

impl FenwickTree {
    fn new(places: usize) -> FenwickTree {
        FenwickTree { sums: vec![0; places + 1] }
    }

    fn add(&mut self, place: usize) {
        // From the end, so that a prefix is a suffix.
        let mut at = self.sums.len() - 1 - place;
        while at < self.sums.len() {
            self.sums[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn from(&self, place: usize) -> u32 {
        let (mut at, mut sum) = ((self.sums.len() - 1).saturating_sub(place), 0);
        while at > 0 {
            sum += self.sums[at];
            at -= at & at.wrapping_neg();
        }
        sum
    }
}
