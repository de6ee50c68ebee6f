//! An exhaustive oracle for the definitions of consistency models, independent of the crate, for short histories only.
//!
//! It tries every choice that a definition leaves open: which crashed operations took effect, which write each read read from, and every order that the
//! definition requires.

#![allow(unreachable_pub)]

use elenchus_core::{History, Kind, Operation, Process, Value};

/// The models that the oracle decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Sequential,
    CausalMemory,
    CausalConvergence,
    Causal,
    Pram,
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
    Regular,
    Safe,
    Atomic(usize),
}

/// A read or a write; a compare-and-set has both.
#[derive(Clone)]
struct Half<'h> {
    operation: usize,
    process: Process,
    key: Option<Value>,
    reads: Option<&'h Value>,
    writes: Option<&'h Value>,
}

type Relation = Vec<Vec<bool>>;

/// Returns whether the model allows the history of registers that initially hold nil.
pub fn allows(history: &History, question: Question) -> bool {
    let operations: Vec<Operation<'_>> = history.operations().expect("well formed");
    let operations: Vec<Operation<'_>> = operations
        .into_iter()
        .filter(|operation| operation.kind == Kind::Ok || (operation.kind == Kind::Info && operation.f != "read"))
        .collect();
    let crashed: Vec<usize> = (0..operations.len()).filter(|&at| operations[at].kind == Kind::Info).collect();
    (0..1_u32 << crashed.len()).any(|chosen| {
        let happened = |at: &usize| crashed.iter().position(|crash| crash == at).is_none_or(|place| chosen & 1 << place != 0);
        let kept: Vec<Operation<'_>> = (0..operations.len()).filter(happened).map(|at| operations[at]).collect();
        with(&kept, question)
    })
}

fn with(operations: &[Operation<'_>], question: Question) -> bool {
    match question {
        Question::Sequential => {
            atomically(operations, 1, &|first, second| first.process == second.process && first.invoked < second.invoked)
        }
        Question::Atomic(k) => atomically(operations, k, &over_before),
        Question::Regular => (0..operations.len()).all(|read| is_regular(operations, read)),
        Question::Safe => (0..operations.len()).all(|read| overlaps_write(operations, read) || is_regular(operations, read)),
        _ => {
            let halves = halves(operations);
            sources(&halves, 0, &mut Vec::new(), &|sources| by_halves(&halves, sources, question))
        }
    }
}

fn over_before(first: &Operation<'_>, second: &Operation<'_>) -> bool {
    first.kind == Kind::Ok && first.completed.is_some_and(|completed| completed < second.invoked)
}

fn found<'h>(operation: &Operation<'h>) -> Option<&'h Value> {
    match operation.f.as_str() {
        "read" => operation.output,
        "cas" => operation.input.as_pair().map(|(old, _)| old),
        _ => None,
    }
}

fn put<'h>(operation: &Operation<'h>) -> Option<&'h Value> {
    match operation.f.as_str() {
        "write" => Some(operation.input),
        // Setting a value to itself changes nothing.
        "cas" => operation.input.as_pair().filter(|(old, new)| old != new).map(|(_, new)| new),
        _ => None,
    }
}

/// Returns whether operations have an order that extends a relation and in which each reads one of the last `k` versions of its key.
fn atomically(operations: &[Operation<'_>], k: usize, before: &dyn Fn(&Operation<'_>, &Operation<'_>) -> bool) -> bool {
    fn go<'h>(
        operations: &[Operation<'h>],
        done: u32,
        versions: &mut Vec<(Option<&'h Value>, &'h Value)>,
        k: usize,
        before: &dyn Fn(&Operation<'_>, &Operation<'_>) -> bool,
    ) -> bool {
        let undone = |at: usize| done & 1 << at == 0;
        if (0..operations.len()).all(|at| !undone(at)) {
            return true;
        }
        for at in (0..operations.len()).filter(|&at| undone(at)) {
            let operation = &operations[at];
            if (0..operations.len()).any(|other| other != at && undone(other) && before(&operations[other], operation)) {
                continue;
            }
            let mut last = versions.iter().rev().filter(|(key, _)| *key == operation.key).map(|(_, value)| *value).collect::<Vec<_>>();
            last.push(&Value::Nil);
            last.truncate(k);
            if found(operation).is_some_and(|value| !last.contains(&value)) {
                continue;
            }
            let mark = versions.len();
            versions.extend(put(operation).map(|value| (operation.key, value)));
            let leads = go(operations, done | 1 << at, versions, k, before);
            versions.truncate(mark);
            if leads {
                return true;
            }
        }
        false
    }
    go(operations, 0, &mut Vec::new(), k, before)
}

/// Returns whether all writes of a read's key and that read alone have an order that respects real time and in which it returns the last one.
fn is_regular(operations: &[Operation<'_>], read: usize) -> bool {
    if found(&operations[read]).is_none() || operations[read].kind != Kind::Ok {
        return true;
    }
    // The compare-and-set's own write follows its read and is left out.
    let only = |at: &usize| *at == read || (operations[*at].key == operations[read].key && put(&operations[*at]).is_some());
    let told = operations[read].output;
    let plain: Vec<Operation<'_>> = (0..operations.len())
        .filter(only)
        .map(|at| {
            let operation = operations[at];
            if at == read {
                Operation { f: elenchus_core::Symbol::of("read"), output: found(&operation).or(told), ..operation }
            } else {
                let put = put(&operation).expect("a write");
                Operation { f: elenchus_core::Symbol::of("write"), input: put, output: None, ..operation }
            }
        })
        .collect();
    atomically(&plain, 1, &over_before)
}

fn overlaps_write(operations: &[Operation<'_>], read: usize) -> bool {
    let reader = &operations[read];
    (0..operations.len()).any(|at| {
        let other = &operations[at];
        at != read && other.key == reader.key && put(other).is_some() && !over_before(other, reader) && !over_before(reader, other)
    })
}

fn halves<'h>(operations: &[Operation<'h>]) -> Vec<Half<'h>> {
    let mut halves = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        let half = |reads, writes| Half { operation: at, process: operation.process, key: operation.key.cloned(), reads, writes };
        halves.extend(found(operation).map(|value| half(Some(value), None)));
        halves.extend(put(operation).map(|value| half(None, Some(value))));
    }
    halves
}

/// Tries every assignment of a source to every read: a write of that value on that key, or none for the initial state.
fn sources(halves: &[Half<'_>], at: usize, chosen: &mut Vec<Option<usize>>, ask: &dyn Fn(&[Option<usize>]) -> bool) -> bool {
    let Some(half) = halves.get(at) else { return ask(chosen) };
    let Some(value) = half.reads else {
        chosen.push(None);
        let answer = sources(halves, at + 1, chosen, ask);
        chosen.pop();
        return answer;
    };
    let writes = (0..halves.len())
        .filter(|&write| halves[write].operation != half.operation && halves[write].key == half.key && halves[write].writes == Some(value));
    let candidates: Vec<Option<usize>> = writes.map(Some).chain(value.is_nil().then_some(None)).collect();
    candidates.into_iter().any(|source| {
        chosen.push(source);
        let answer = sources(halves, at + 1, chosen, ask);
        chosen.pop();
        answer
    })
}

fn by_halves(halves: &[Half<'_>], sources: &[Option<usize>], question: Question) -> bool {
    let count = halves.len();
    let relation = |holds: &dyn Fn(usize, usize) -> bool| -> Relation {
        (0..count).map(|first| (0..count).map(|second| holds(first, second)).collect()).collect()
    };
    // Halves are in order of invocation, which in one process is the session's order.
    let session = |first: usize, second: usize| first < second && halves[first].process == halves[second].process;
    let reads_from = |first: usize, second: usize| sources[second] == Some(first);
    let processes: Vec<Process> = halves.iter().map(|half| half.process).collect();
    let all = || (0..count).collect::<Vec<usize>>();
    match question {
        Question::Pram => processes.iter().all(|&process| {
            let seen = all().into_iter().filter(|&at| halves[at].writes.is_some() || halves[at].process == process).collect();
            serializes(halves, sources, seen, &relation(&session), &|read| halves[read].process == process)
        }),
        Question::CausalMemory | Question::Causal | Question::CausalConvergence => {
            let causal = closure(relation(&|first, second| session(first, second) || reads_from(first, second)));
            if (0..count).any(|at| causal[at][at]) {
                return false;
            }
            let past = |end: usize| all().into_iter().filter(|&at| at == end || causal[at][end]).collect::<Vec<_>>();
            match question {
                Question::CausalMemory => (0..count).all(|end| {
                    let own = |read: usize| halves[read].process == halves[end].process;
                    serializes(halves, sources, past(end), &causal, &own)
                }),
                Question::Causal => (0..count).all(|end| serializes(halves, sources, past(end), &causal, &|read| read == end)),
                _ => {
                    let writes = all().into_iter().filter(|&at| halves[at].writes.is_some()).collect();
                    orders(writes, &causal, &|order: &[usize]| {
                        (0..count).filter(|&read| halves[read].reads.is_some()).all(|read| {
                            let known = order.iter().rev().find(|&&write| halves[write].key == halves[read].key && causal[write][read]);
                            known.copied() == sources[read]
                        })
                    })
                }
            }
        }
        _ => processes.iter().all(|&process| {
            halves.iter().all(|about| {
                let versions = all().into_iter().filter(|&at| halves[at].writes.is_some() && halves[at].key == about.key).collect();
                orders(versions, &relation(&session), &|order: &[usize]| {
                    let age = |version: Option<usize>| {
                        version.map_or(0, |version| 1 + order.iter().position(|&at| at == version).expect("there"))
                    };
                    (0..count)
                        .filter(|&read| halves[read].process == process && halves[read].key == about.key && halves[read].reads.is_some())
                        .all(|read| {
                            let must_have_seen = all().into_iter().filter(|&version| {
                                halves[version].writes.is_some()
                                    && halves[version].key == about.key
                                    && must_see(question, version, read, count, &session, &reads_from)
                            });
                            must_have_seen.into_iter().all(|version| age(Some(version)) <= age(sources[read]))
                        })
                })
            })
        }),
    }
}

/// Returns whether a read must have seen a version, by the definition of a session guarantee.
fn must_see(
    question: Question,
    version: usize,
    read: usize,
    count: usize,
    session: &dyn Fn(usize, usize) -> bool,
    reads_from: &dyn Fn(usize, usize) -> bool,
) -> bool {
    let earlier_read_of = |write: usize| (0..count).any(|earlier| session(earlier, read) && reads_from(write, earlier));
    match question {
        Question::ReadYourWrites => session(version, read),
        Question::MonotonicReads => earlier_read_of(version),
        Question::MonotonicWrites => (0..count).any(|later| session(version, later) && earlier_read_of(later)),
        _ => (0..count)
            .any(|later| earlier_read_of(later) && (0..count).any(|its_read| session(its_read, later) && reads_from(version, its_read))),
    }
}

fn closure(mut relation: Relation) -> Relation {
    let count = relation.len();
    for middle in 0..count {
        for first in 0..count {
            for second in 0..count {
                relation[first][second] |= relation[first][middle] && relation[middle][second];
            }
        }
    }
    relation
}

/// Returns whether some order of these that extends a relation has a property.
fn orders(items: Vec<usize>, before: &Relation, property: &dyn Fn(&[usize]) -> bool) -> bool {
    fn go(left: &mut Vec<usize>, order: &mut Vec<usize>, before: &Relation, property: &dyn Fn(&[usize]) -> bool) -> bool {
        if left.is_empty() {
            return property(order);
        }
        for at in 0..left.len() {
            if left.iter().any(|&other| before[other][left[at]]) {
                continue;
            }
            let next = left.remove(at);
            order.push(next);
            let answer = go(left, order, before, property);
            order.pop();
            left.insert(at, next);
            if answer {
                return true;
            }
        }
        false
    }
    go(&mut items.clone(), &mut Vec::new(), before, property)
}

/// Returns whether these have an order that extends a relation and in which the selected reads return the latest write.
fn serializes(
    halves: &[Half<'_>],
    sources: &[Option<usize>],
    items: Vec<usize>,
    before: &Relation,
    counts: &dyn Fn(usize) -> bool,
) -> bool {
    fn go(
        halves: &[Half<'_>],
        sources: &[Option<usize>],
        left: &mut Vec<usize>,
        done: &mut Vec<usize>,
        before: &Relation,
        counts: &dyn Fn(usize) -> bool,
    ) -> bool {
        if left.is_empty() {
            return true;
        }
        for at in 0..left.len() {
            let next = left[at];
            if left.iter().any(|&other| before[other][next]) {
                continue;
            }
            let last = done.iter().rev().find(|&&write| halves[write].writes.is_some() && halves[write].key == halves[next].key);
            if halves[next].reads.is_some() && counts(next) && last.copied() != sources[next] {
                continue;
            }
            left.remove(at);
            done.push(next);
            let answer = go(halves, sources, left, done, before, counts);
            done.pop();
            left.insert(at, next);
            if answer {
                return true;
            }
        }
        false
    }
    go(halves, sources, &mut items.clone(), &mut Vec::new(), before, counts)
}
