//! Small random histories of transactions, and an oracle that tries every order of them. It knows nothing of dependency graphs: each level is
//! judged by its definition over a total order of commits (arbitration) and what each transaction saw of it (visibility), as Cerone, Bernardi
//! & Gotsman (2015) and Biswas & Enea (2019) have it; the isolation levels below read atomic by what Adya (1999) asks of the order alone.

#![allow(dead_code, unreachable_pub)]

pub mod added;
#[path = "../common/dice.rs"]
pub mod dice;

use std::collections::HashMap;

pub use dice::Dice;
use elenchus_checkers::transactional::{Datatype, Level, TransactionalOptions, Transactions, analyse};
use elenchus_core::{Event, Kind, Nanos, Process, Symbol, Value, Verdict};

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Appends or sets a value, unique under its key.
    Write { key: usize, value: i64 },
    /// Reads the list, or the register's value.
    Read { key: usize, told: Vec<i64> },
    /// The keys that matched, with what was read of each.
    Scan { predicate: Predicate, found: Vec<(usize, Vec<i64>)> },
}

/// The condition of a scan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Predicate {
    Any,
    Below(i64),
    Even,
}

impl Predicate {
    /// Whether what a key holds matches; of a list whatever is in it.
    fn matches(self, held: &[i64]) -> bool {
        match (self, held.last()) {
            (_, None) => false,
            (Predicate::Any, _) => true,
            (Predicate::Below(bound), Some(&value)) => value < bound,
            (Predicate::Even, Some(&value)) => value % 2 == 0,
        }
    }

    fn words(self) -> Value {
        match self {
            Predicate::Any => "any".into(),
            Predicate::Below(bound) => Value::List(vec!["<".into(), Value::Int(bound)]),
            Predicate::Even => Value::List(vec!["mod".into(), Value::Int(2), Value::Int(0)]),
        }
    }

    fn random(dice: &mut Dice, datatype: Datatype) -> Predicate {
        match dice.below(if datatype == Datatype::ListAppend { 1 } else { 4 }) {
            0 | 1 => Predicate::Any,
            2 => Predicate::Below(1 + dice.below(4) as i64),
            _ => Predicate::Even,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Txn {
    pub session: usize,
    pub kind: Kind,
    pub invoked: usize,
    pub completed: usize,
    pub steps: Vec<Step>,
}

/// A random history of a store that is now and then wrong: mostly what a serial execution would tell, sometimes anything.
pub fn random(dice: &mut Dice, datatype: Datatype) -> Vec<Txn> {
    random_with(dice, datatype, false)
}

/// The same, with reads by predicates.
pub fn random_with(dice: &mut Dice, datatype: Datatype, has_scans: bool) -> Vec<Txn> {
    let (count, keys, sessions) = (2 + dice.below(5), 1 + dice.below(3), 1 + dice.below(4));
    let errs = [0, 1, 3, 6][dice.below(4)];
    let crashes = dice.below(2) == 0;
    let mut next = vec![1; keys];
    let mut txns: Vec<Txn> = Vec::new();
    let mut ends = vec![0; sessions];
    let (mut now, mut retired) = (0, vec![false; sessions]);
    for _ in 0..count {
        let session = dice.below(sessions);
        if retired[session] {
            continue;
        }
        let kind = match dice.below(if crashes { 8 } else { 100_000 }) {
            0 => Kind::Fail,
            1 => Kind::Info,
            _ => Kind::Ok,
        };
        retired[session] = kind == Kind::Info;
        let steps = (0..1 + dice.below(4)).map(|_| {
            let key = dice.below(keys);
            if has_scans && dice.below(3) == 0 {
                return Step::Scan { predicate: Predicate::random(dice, datatype), found: Vec::new() };
            }
            if dice.below(2) == 0 {
                next[key] += 1;
                let value = if datatype == Datatype::CounterInc { 1 + dice.below(3) as i64 } else { next[key] - 1 };
                return Step::Write { key, value };
            }
            Step::Read { key, told: Vec::new() }
        });
        let steps = steps.collect();
        let invoked: usize = ends[session].max(now + 3 * dice.below(3));
        let completed = invoked + 1 + dice.below(12);
        ends[session] = completed + 1;
        now = invoked.saturating_sub(4);
        txns.push(Txn { session, kind, invoked, completed, steps });
    }
    tell(dice, datatype, &mut txns, &next, errs);
    txns
}

/// Plays the transactions one after the other, as many as are not failed, and has the reads told what they find, or something else.
fn tell(dice: &mut Dice, datatype: Datatype, txns: &mut [Txn], next: &[i64], errs: usize) {
    let mut order: Vec<usize> = (0..txns.len()).collect();
    for at in (1..order.len()).rev() {
        if dice.below(3) == 0 {
            order.swap(at, at - 1);
        }
    }
    let mut held: Vec<Vec<i64>> = vec![Vec::new(); next.len()];
    let mut past: Vec<Vec<Vec<i64>>> = vec![held.clone()];
    for at in order {
        let happens = match txns[at].kind {
            Kind::Fail => dice.below(12) < errs,
            Kind::Info => dice.below(2) == 0,
            _ => true,
        };
        let stale = past[dice.below(past.len())].clone();
        let is_stale = dice.below(12) < errs;
        let mut own = if is_stale { stale } else { held.clone() };
        for step in &mut txns[at].steps {
            match step {
                Step::Scan { predicate, found } => {
                    let seen = if dice.below(48) < errs { &past[dice.below(past.len())] } else { &own };
                    let seen = seen
                        .iter()
                        .map(|list| if datatype == Datatype::ListAppend { &list[..] } else { &list[list.len().saturating_sub(1)..] });
                    *found = seen.enumerate().filter(|(_, held)| predicate.matches(held)).map(|(key, held)| (key, held.to_vec())).collect();
                    if dice.below(48) < errs {
                        found.pop();
                    }
                }
                Step::Write { key, value } => {
                    own[*key].push(*value);
                    if happens {
                        held[*key].push(*value);
                    }
                }
                Step::Read { key, told } => {
                    *told = own[*key].clone();
                    match dice.below(48) {
                        n if n < errs => *told = past[dice.below(past.len())][*key].clone(),
                        n if n < errs + 1 && errs > 1 => {
                            *told = (1..next[*key]).filter(|_| dice.below(3) > 0).collect();
                        }
                        n if n == 47 && errs > 3 => told.push(1 + dice.below(next[*key] as usize) as i64),
                        _ => {}
                    }
                    match datatype {
                        Datatype::RwRegister => *told = told.last().copied().into_iter().collect(),
                        Datatype::CounterInc => *told = vec![told.iter().sum()],
                        Datatype::SetAdd => {
                            told.sort_unstable();
                            told.dedup();
                        }
                        Datatype::ListAppend => {}
                    }
                }
            }
        }
        past.push(held.clone());
    }
}

/// The history as events.
pub fn events(datatype: Datatype, txns: &[Txn]) -> Vec<Event> {
    let mut moments: Vec<(usize, usize, bool)> = Vec::new();
    for (at, txn) in txns.iter().enumerate() {
        moments.push((txn.invoked, at, false));
        moments.push((txn.completed, at, true));
    }
    moments.sort_by_key(|&(when, at, completes)| (when, !completes, at));
    let event = |&(when, at, completes): &(usize, usize, bool)| {
        let txn = &txns[at];
        let kind = if completes { txn.kind } else { Kind::Invoke };
        let value = |told: &[i64]| match datatype {
            Datatype::ListAppend | Datatype::SetAdd => Value::List(told.iter().copied().map(Value::Int).collect()),
            Datatype::RwRegister | Datatype::CounterInc => told.last().copied().map_or(Value::Nil, Value::Int),
        };
        let write = match datatype {
            Datatype::ListAppend => "append",
            Datatype::RwRegister => "w",
            Datatype::SetAdd => "add",
            Datatype::CounterInc => "inc",
        };
        let steps = txn.steps.iter().map(|step| {
            let (f, key, value) = match step {
                Step::Scan { predicate, found } => {
                    let found = found.iter().map(|(key, told)| Value::pair(Value::Int(*key as i64), value(told)));
                    let found = if kind == Kind::Ok { Value::List(found.collect()) } else { Value::Nil };
                    return Value::List(vec!["rp".into(), predicate.words(), found]);
                }
                Step::Write { key, value } => (write, key, Value::Int(*value)),
                Step::Read { key, .. } if kind != Kind::Ok => ("r", key, Value::Nil),
                Step::Read { key, told } => ("r", key, value(told)),
            };
            Value::List(vec![f.into(), Value::Int(*key as i64), value])
        });
        Event {
            time: Nanos(when as u64),
            process: Process::Client(txn.session as u32),
            kind,
            f: Symbol::of("txn"),
            key: None,
            value: Value::List(steps.collect()),
            error: None,
            node: None,
        }
    };
    moments.iter().map(event).collect()
}

/// The levels that the oracle judges.
pub const JUDGED: [Level; 18] = [
    Level::ReadUncommitted,
    Level::ReadCommitted,
    Level::MonotonicAtomicView,
    Level::ReadAtomic,
    Level::UpdateAtomic,
    Level::CausalCerone,
    Level::TransactionalCausal,
    Level::ParallelSnapshotIsolation,
    Level::Prefix,
    Level::SnapshotIsolation,
    Level::RepeatableRead,
    Level::Serializable,
    Level::StrongSessionReadCommitted,
    Level::StrongSessionSnapshotIsolation,
    Level::StrongSessionSerializable,
    Level::StrongReadCommitted,
    Level::StrongSnapshotIsolation,
    Level::StrictSerializable,
];

/// The engine's verdict for each level that the oracle decides for such data, and whether the level holds.
///
/// # Panics
/// When a level is refuted that some order satisfies, or proved that none does.
pub fn compare(datatype: Datatype, txns: &[Txn]) -> Vec<(Level, Verdict, bool)> {
    let mut history = Transactions::new(datatype);
    for event in events(datatype, txns) {
        history.push(&event).expect("well formed");
    }
    let analysis = analyse(&history, &TransactionalOptions::default());
    let satisfied = match datatype {
        Datatype::ListAppend | Datatype::RwRegister => satisfied(datatype, txns).map(Some),
        Datatype::SetAdd | Datatype::CounterInc => added::satisfied(datatype, txns),
    };
    let judged = JUDGED.into_iter().zip(satisfied).filter_map(|(level, holds)| Some((level, holds?)));
    let compared = judged.map(|(level, holds)| {
        let verdict = analysis.verdict(level);
        if matches!((verdict, holds), (Verdict::Invalid, true) | (Verdict::Valid, false)) {
            let examples = analysis.found.values().flat_map(|found| &found.examples);
            let found: Vec<Vec<String>> = examples.map(|each| analysis.argument(each)).collect();
            panic!("{level} is {verdict}, but {holds}: {txns:#?}\n{:?} {found:#?}", analysis.found.keys());
        }
        (level, verdict, holds)
    });
    compared.collect()
}

/// The engine agrees with the oracle on the history that these bytes describe: the first chooses the data, the others what there would be left to
/// chance. The body of the fuzz target `engine_transactional`.
pub fn engine_agrees_with_oracle(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else { return };
    let (datatype, has_scans) = match choice % 6 {
        0 => (Datatype::ListAppend, false),
        1 => (Datatype::ListAppend, true),
        2 => (Datatype::RwRegister, false),
        3 => (Datatype::RwRegister, true),
        4 => (Datatype::SetAdd, false),
        _ => (Datatype::CounterInc, false),
    };
    let txns = random_with(&mut Dice::given(rest), datatype, has_scans);
    compare(datatype, &txns);
}

/// Which of [`JUDGED`] some order of the transactions, with some of the crashed ones, satisfies.
pub fn satisfied(datatype: Datatype, txns: &[Txn]) -> [bool; 18] {
    let mut all = [false; 18];
    let crashed: Vec<usize> = (0..txns.len()).filter(|&at| txns[at].kind == Kind::Info).collect();
    for chosen in 0..1_u32 << crashed.len() {
        let is_chosen = |at: usize| crashed.iter().position(|&crashed| crashed == at).is_some_and(|bit| chosen & 1 << bit != 0);
        let committed: Vec<usize> = (0..txns.len()).filter(|&at| txns[at].kind == Kind::Ok || is_chosen(at)).collect();
        permute(&mut committed.clone(), 0, &mut |order| {
            let judged = Order { datatype, txns, order }.judge();
            all.iter_mut().zip(judged).for_each(|(all, judged)| *all |= judged);
        });
    }
    all
}

fn permute(items: &mut Vec<usize>, fixed: usize, each: &mut impl FnMut(&[usize])) {
    if fixed == items.len() {
        return each(items);
    }
    for at in fixed..items.len() {
        items.swap(fixed, at);
        permute(items, fixed + 1, each);
        items.swap(fixed, at);
    }
}

/// A total order of commits.
struct Order<'t> {
    datatype: Datatype,
    txns: &'t [Txn],
    order: &'t [usize],
}

/// Whose version a read saw.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Initial,
    /// That which stands at this place in the order left.
    Left(usize),
    /// The reader's own, after so many of its writes.
    Own(usize),
    /// None that the order has.
    Impossible,
}

fn writes(txn: &Txn, of: usize) -> Vec<i64> {
    let written = txn.steps.iter().filter_map(|step| match step {
        Step::Write { key, value } if *key == of => Some(*value),
        _ => None,
    });
    written.collect()
}

/// Whether predicates find what their own transaction last did or saw, where it matches, and only what matches.
fn scans_own(txn: &Txn) -> bool {
    let mut known: HashMap<usize, Vec<i64>> = HashMap::new();
    txn.kind != Kind::Ok
        || txn.steps.iter().all(|step| match step {
            Step::Write { key, value } => {
                known.insert(*key, vec![*value]);
                true
            }
            Step::Read { key, told } => {
                known.insert(*key, told.clone());
                true
            }
            Step::Scan { predicate, found } => {
                let is_found = |key: usize| found.iter().any(|(found, _)| *found == key);
                let complete = known.iter().all(|(key, held)| !predicate.matches(held) || is_found(*key));
                known.extend(found.iter().cloned());
                complete && found.iter().all(|(_, held)| predicate.matches(held))
            }
        })
}

impl Order<'_> {
    fn txn(&self, place: usize) -> &Txn {
        &self.txns[self.order[place]]
    }

    fn writes(&self, place: usize, key: usize) -> Vec<i64> {
        writes(self.txn(place), key)
    }

    /// Whose version of a key the reader at a place saw. Versions are in the order of commits, a transaction's own in that of its steps.
    fn source(&self, reader: usize, key: usize, told: &[i64]) -> Source {
        let Some(&last) = told.last() else { return Source::Initial };
        let chain: Vec<(i64, usize)> =
            (0..self.order.len()).flat_map(|place| self.writes(place, key).into_iter().map(move |value| (value, place))).collect();
        let Some(at) = chain.iter().position(|&(value, _)| value == last) else { return Source::Impossible };
        if self.datatype == Datatype::ListAppend && !chain[..=at].iter().map(|&(value, _)| value).eq(told.iter().copied()) {
            return Source::Impossible;
        }
        let place = chain[at].1;
        let own = self.writes(place, key);
        let count = own.iter().position(|&value| value == last).map_or(0, |at| at + 1);
        match place == reader {
            true => Source::Own(count),
            false if count == own.len() => Source::Left(place),
            false => Source::Impossible,
        }
    }

    fn judge(&self) -> [bool; 18] {
        let count = self.order.len();
        // The reads that were told anything, with whom they saw and how often the reader itself had written the key before.
        let reads: Vec<Vec<(usize, Source, usize)>> = (0..count)
            .map(|place| {
                let txn = self.txn(place);
                let mut own = Vec::new();
                let mut reads = Vec::new();
                for step in &txn.steps {
                    match step {
                        Step::Write { key, .. } => own.push(*key),
                        Step::Read { key, told } if txn.kind == Kind::Ok => {
                            reads.push((*key, self.source(place, *key, told), own.iter().filter(|&other| other == key).count()));
                        }
                        Step::Scan { found, .. } if txn.kind == Kind::Ok => {
                            for (key, told) in found {
                                reads.push((*key, self.source(place, *key, told), own.iter().filter(|&other| other == key).count()));
                            }
                        }
                        Step::Read { .. } | Step::Scan { .. } => {}
                    }
                }
                reads
            })
            .collect();
        let writes_key = |place: usize, key: usize| !self.writes(place, key).is_empty();
        let last_before =
            |end: usize, key: usize| (0..end).rev().find(|&place| writes_key(place, key)).map_or(Source::Initial, Source::Left);
        let after =
            |one: usize, other: usize| one != other && self.txn(one).kind == Kind::Ok && self.txn(one).completed <= self.txn(other).invoked;
        let session =
            |one: usize, other: usize| self.txn(one).session == self.txn(other).session && self.txn(one).invoked < self.txn(other).invoked;
        let keeps = |before: &dyn Fn(usize, usize) -> bool| (0..count).all(|one| (0..one).all(|other| !before(one, other)));
        let (in_session, in_time) = (keeps(&session), keeps(&after));

        // Read committed: everything that was read was left by one before.
        let committed = reads.iter().enumerate().all(|(reader, reads)| {
            reads.iter().all(|&(_, source, own)| match source {
                Source::Initial => true,
                Source::Left(place) => place < reader,
                Source::Own(count) => count <= own,
                Source::Impossible => false,
            })
        });
        let monotonic = committed
            && reads.iter().all(|reads| {
                let ordered = |source| match source {
                    Source::Left(place) => place as i64,
                    Source::Own(_) => i64::MAX,
                    _ => -1,
                };
                reads.iter().enumerate().all(|(at, &(key, source, _))| {
                    reads[..at].iter().all(|&(_, seen, _)| match seen {
                        Source::Left(place) if writes_key(place, key) => ordered(source) >= place as i64,
                        _ => true,
                    })
                })
            });
        // INT: after its own access, a transaction reads what that left.
        let internal = (0..count).all(|place| self.lists_grow(self.txn(place)) && scans_own(self.txn(place)))
            && reads.iter().all(|reads| {
                reads.iter().enumerate().all(|(at, &(key, source, own))| match own {
                    0 => reads[..at].iter().all(|&(other, seen, _)| other != key || seen == source),
                    own => source == Source::Own(own),
                })
            });
        let external: Vec<Vec<(usize, Source)>> =
            reads.iter().map(|reads| reads.iter().filter(|(.., own)| *own == 0).map(|&(key, source, _)| (key, source)).collect()).collect();
        // EXT: each external read saw the last visible version, and what a predicate did not find has none that matches. The least visibility
        // that has the sources and what is asked suffices, but for who reads by predicates: seeing more may hide what matches.
        let sees = |reader: usize, visible: u32| {
            let seen = |key: usize| (0..reader).rev().find(|&place| visible & 1 << place != 0 && writes_key(place, key));
            let finds = external[reader].iter().all(|&(key, source)| source == seen(key).map_or(Source::Initial, Source::Left));
            let held = |key: usize| seen(key).map_or(Vec::new(), |place| self.writes(place, key));
            finds && self.misses(reader).iter().all(|&(key, predicate)| !predicate.matches(&held(key)))
        };
        let atomic = |asked: &dyn Fn(usize, usize) -> bool, transitive: bool| {
            let least = |reader: usize, visible: &[u32]| {
                let must = (0..reader)
                    .filter(|&place| external[reader].iter().any(|&(_, source)| source == Source::Left(place)) || asked(place, reader));
                must.fold(0, |all, place| all | 1 << place | if transitive { visible[place] } else { 0 })
            };
            let closed = |all: u32, visible: &[u32]| (0..visible.len()).all(|place| all & 1 << place == 0 || visible[place] & !all == 0);
            committed
                && internal
                && self.choose(&mut Vec::new(), &|reader, visible| {
                    let least = least(reader, visible);
                    let may_see_more = !self.misses(reader).is_empty();
                    let choices = (0..1 << reader).filter(|&all| all == least || may_see_more && all & least == least);
                    choices.filter(|&all| (!transitive || closed(all, visible)) && sees(reader, all)).collect()
                })
        };
        // Keys that a predicate read did not return do not match in the state before that moment.
        let misses = |moment: usize, reader: usize| {
            self.misses(reader).iter().all(|&(key, predicate)| {
                let seen = (0..moment).rev().find(|&place| writes_key(place, key));
                !predicate.matches(&seen.map_or(Vec::new(), |place| self.writes(place, key)))
            })
        };
        let conflicts = |one: usize, other: usize| (0..8).any(|key| writes_key(one, key) && writes_key(other, key));
        // A snapshot is all that committed before some moment; `since` is what it must contain.
        let snapshot = |since: &dyn Fn(usize, usize) -> bool, first_committer_wins: bool| {
            internal
                && (0..count).all(|reader| {
                    (0..=reader).any(|moment| {
                        external[reader].iter().all(|&(key, source)| source == last_before(moment, key))
                            && misses(moment, reader)
                            && (moment..reader)
                                .all(|between| !(since(between, reader) || first_committer_wins && conflicts(between, reader)))
                    })
                })
        };
        let never = |_: usize, _: usize| false;
        // As an order of dependencies has it: what a transaction does to its own writes is its own affair.
        let repeatable = committed
            && reads.iter().enumerate().all(|(reader, reads)| {
                reads.iter().all(|&(key, source, _)| matches!(source, Source::Own(_)) || source == last_before(reader, key))
            });
        let is_serial = |reader: usize| external[reader].iter().all(|&(key, source)| source == last_before(reader, key));
        let serial = internal && (0..count).all(|reader| is_serial(reader) && misses(reader, reader));
        [
            self.orders_versions(),
            committed,
            monotonic,
            atomic(&never, false),
            atomic(&conflicts, false),
            atomic(&never, true),
            in_session && atomic(&session, true),
            atomic(&conflicts, true),
            snapshot(&never, false),
            snapshot(&never, true),
            repeatable,
            serial,
            in_session && committed,
            in_session && snapshot(&session, true),
            in_session && serial,
            in_time && committed,
            in_time && snapshot(&after, true),
            in_time && serial,
        ]
    }

    /// Whether each reader in turn, after what those before it see, has a choice of what it sees.
    fn choose(&self, visible: &mut Vec<u32>, choices: &dyn Fn(usize, &[u32]) -> Vec<u32>) -> bool {
        visible.len() == self.order.len()
            || choices(visible.len(), visible).into_iter().any(|all| {
                visible.push(all);
                let holds = self.choose(visible, choices);
                visible.pop();
                holds
            })
    }

    /// The keys that a reader's predicates did not find and that it had not written itself.
    fn misses(&self, reader: usize) -> Vec<(usize, Predicate)> {
        let txn = self.txn(reader);
        let mut own: Vec<usize> = Vec::new();
        let mut misses = Vec::new();
        for step in txn.steps.iter().filter(|_| txn.kind == Kind::Ok) {
            match step {
                Step::Write { key, .. } => own.push(*key),
                Step::Scan { predicate, found } => {
                    let is_missed = |key: &usize| !own.contains(key) && found.iter().all(|(found, _)| found != key);
                    misses.extend((0..8).filter(is_missed).map(|key| (key, *predicate)));
                }
                Step::Read { .. } => {}
            }
        }
        misses
    }

    /// Whether a transaction that reads a list again reads the same elements and its own appends since.
    fn lists_grow(&self, txn: &Txn) -> bool {
        let mut known: HashMap<usize, Vec<i64>> = HashMap::new();
        txn.kind != Kind::Ok
            || self.datatype == Datatype::RwRegister
            || txn.steps.iter().all(|step| match step {
                Step::Write { key, value } => {
                    known.entry(*key).and_modify(|list| list.push(*value));
                    true
                }
                Step::Read { key, told } => known.insert(*key, told.clone()).is_none_or(|expected| expected == *told),
                Step::Scan { found, .. } => {
                    found.iter().all(|(key, told)| known.insert(*key, told.clone()).is_none_or(|expected| expected == *told))
                }
            })
    }

    /// Read uncommitted: what committed is in one order. Reads may have seen more, but not these in another order, or with one left out.
    fn orders_versions(&self) -> bool {
        self.datatype == Datatype::RwRegister
            || self.txns.iter().filter(|txn| txn.kind == Kind::Ok).flat_map(|txn| &txn.steps).all(|step| {
                let is_one = |key: usize, told: &[i64]| {
                    let chain: Vec<i64> = (0..self.order.len()).flat_map(|place| self.writes(place, key)).collect();
                    let seen: Vec<i64> = told.iter().copied().filter(|value| chain.contains(value)).collect();
                    chain.starts_with(&seen)
                };
                match step {
                    Step::Write { .. } => true,
                    Step::Read { key, told } => is_one(*key, told),
                    Step::Scan { found, .. } => found.iter().all(|(key, told)| is_one(*key, told)),
                }
            })
    }
}
