//! How stale reads certainly were: by how many versions and for how long.
//!
//! A version was certainly there from the first return of its write or of a read of it. A version whose write began after that is certainly
//! newer. A read is stale by as many versions as were certainly newer than what it found and certainly there when it began, and for as long
//! as the first of them had been. The true figures, which no history shows, are at least these (compare Golab, Li & Shah, Analyzing
//! Consistency Properties for Fun and Profit, 2011).

use elenchus_core::{Anomaly, History, Kind, Nanos};
use serde_json::json;

use super::registers::{AccessId, Act, Registers, Source};
use super::words::{count, describe};

/// How stale one read certainly was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) read: AccessId,
    pub(crate) versions: u32,
    pub(crate) age: Nanos,
}

/// A version: when it began to be written, and when it was certainly there because of which access; in events.
#[derive(Clone, Copy, Debug)]
struct Version {
    begun: u32,
    there: u32,
    shown_by: AccessId,
    write: Source,
}

/// How stale all reads with a known source were.
pub(crate) struct Staleness<'r, 't, 'h> {
    pub(crate) registers: &'r Registers<'t, 'h>,
    /// By key: its versions in order of their beginning, the initial one first.
    versions: Vec<Vec<Version>>,
    /// Of every read, in order of number.
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
        // By place in `versions`: the first moment at which this or a later one was certainly there.
        let mut first_there: Vec<u32> = versions.iter().map(|version| version.there).collect();
        for at in (1..first_there.len()).rev() {
            first_there[at - 1] = first_there[at - 1].min(first_there[at]);
        }
        let mut arrivals: Vec<(u32, usize)> = versions.iter().enumerate().map(|(at, version)| (version.there, at)).collect();
        arrivals.sort_unstable();
        let mut reads: Vec<(u32, AccessId, u32)> = accesses
            .iter()
            .filter_map(|&id| match registers.access(id).act {
                Act::Read(source) => Some((registers.operation(id).invoked.0 + 1, id, there(versions, registers, source))),
                Act::Write => None,
            })
            .collect();
        reads.sort_unstable();
        let (mut present, mut arrived) = (Counts::new(versions.len()), 0);
        for (invoked, read, found_there) in reads {
            while let Some(&(_, at)) = arrivals.get(arrived).filter(|&&(there, _)| there < invoked) {
                present.add(at);
                arrived += 1;
            }
            let newer = versions.partition_point(|version| version.begun <= found_there);
            let since = first_there.get(newer).copied().unwrap_or(u32::MAX);
            let time = |event: u32| history.event(elenchus_core::EventIndex(event - 1)).time;
            let age = if since < invoked { time(invoked).since(time(since)) } else { Nanos::ZERO };
            self.reads.push(Stale { read, versions: present.from(newer), age });
        }
    }

    /// The worst read by versions, and the worst by age, if any read was stale.
    pub(crate) fn worst(&self) -> (Option<Stale>, Option<Stale>) {
        let by_versions = self.reads.iter().filter(|stale| stale.versions > 0).max_by_key(|stale| (stale.versions, stale.age));
        let by_age = self.reads.iter().filter(|stale| stale.age > Nanos::ZERO).max_by_key(|stale| (stale.age, stale.versions));
        (by_versions.copied(), by_age.copied())
    }

    /// Why a read was stale, with as many newer versions as asked for.
    pub(crate) fn explain(&self, stale: Stale, most: usize) -> Anomaly {
        let registers = self.registers;
        let access = registers.access(stale.read);
        let versions = &self.versions[access.key as usize];
        let source = if let Act::Read(source) = access.act { source } else { Source::Initial };
        let found_there = there(versions, registers, source);
        let read = registers.operation(stale.read);
        let newer = versions.iter().filter(|version| version.begun > found_there && version.there <= read.invoked.0);
        let mut accesses = vec![stale.read];
        let mut argument = Vec::new();
        let say = |id: AccessId| describe(registers.operation(id));
        match (source, versions.iter().find(|version| version.write == source)) {
            (Source::Write(write), Some(version)) if version.shown_by != write => {
                accesses.extend([write, version.shown_by]);
                argument.push(format!("What {} wrote was there when {} returned.", say(write), say(version.shown_by)));
            }
            (Source::Write(write), _) => {
                accesses.push(write);
                argument.push(format!("What {} wrote was there when it returned.", say(write)));
            }
            (Source::Initial, _) => argument.push("The initial value was there from the beginning.".to_owned()),
        }
        for version in newer.take(most) {
            let Source::Write(write) = version.write else { continue };
            accesses.extend([write, version.shown_by]);
            argument.push(if version.shown_by == write {
                format!("{} began later and returned before the read began.", say(write))
            } else {
                format!("{} began later, and {} showed it before the read began.", say(write), say(version.shown_by))
            });
        }
        argument.push(format!("Yet {} still found the first of them.", describe(read)));
        let mut operations: Vec<_> = accesses.into_iter().map(|id| registers.operation(id).invoked).collect();
        operations.sort_unstable();
        operations.dedup();
        Anomaly {
            name: "stale-read".to_owned(),
            key: read.key.cloned(),
            description: format!(
                "A read was at least {} and {:.3} ms stale.",
                count(u64::from(stale.versions), "version"),
                stale.age.as_millis_f64()
            ),
            operations,
            argument,
            ..Anomaly::default()
        }
    }

    /// Figures for machines: how many reads were stale by how many versions, and quantiles of how long the stale ones were.
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

/// Events are counted from 1 here: at 0 the initial version is there.
fn versions(registers: &Registers<'_, '_>, accesses: &[AccessId]) -> Vec<Version> {
    let end = |id: AccessId| {
        let operation = registers.operation(id);
        operation.completed.filter(|_| operation.kind == Kind::Ok).map_or(u32::MAX, |end| end.0 + 1)
    };
    let mut versions = vec![Version { begun: 0, there: 0, shown_by: 0, write: Source::Initial }];
    for &write in accesses.iter().filter(|&&id| registers.access(id).act == Act::Write) {
        let begun = registers.operation(write).invoked.0 + 1;
        let shown = std::iter::once(write).chain(registers.readers.of_write(write).iter().copied()).map(|id| (end(id), id)).min();
        let (there, shown_by) = shown.unwrap_or((u32::MAX, write));
        versions.push(Version { begun, there: there.max(begun), shown_by, write: Source::Write(write) });
    }
    versions.sort_unstable_by_key(|version| version.begun);
    versions
}

/// When a version was certainly there.
fn there(versions: &[Version], registers: &Registers<'_, '_>, source: Source) -> u32 {
    let Source::Write(write) = source else { return 0 };
    let begun = registers.operation(write).invoked.0 + 1;
    versions.binary_search_by_key(&begun, |version| version.begun).map_or(u32::MAX, |at| versions[at].there)
}

/// How many of the places from one on are taken (Fenwick, 1994).
struct Counts {
    sums: Vec<u32>,
}

impl Counts {
    fn new(places: usize) -> Counts {
        Counts { sums: vec![0; places + 1] }
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
