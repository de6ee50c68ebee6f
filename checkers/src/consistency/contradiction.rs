//! How a precedence contradicts itself, with all it takes to see it.

use std::collections::BTreeSet;

use super::precedence::{Hop, Path, Precedence, Rule};
use super::registers::{AccessId, Act, Registers, Source};
use super::words::{capitalised, describe};

/// How many links an argument may need.
const MOST_LINKS: usize = 64;

/// What cannot be.
#[derive(Clone, Debug)]
pub(crate) struct Contradiction {
    /// The positions of the operations that it takes, in order of invocation.
    pub(crate) operations: BTreeSet<u32>,
    /// The argument, a sentence a step.
    pub(crate) argument: Vec<String>,
}

/// A proof in the making.
struct Proof<'p, 'r, 't, 'h> {
    precedence: &'p Precedence<'r, 't, 'h>,
    operations: BTreeSet<u32>,
    argument: Vec<String>,
    explained: BTreeSet<usize>,
}

impl Contradiction {
    /// A write comes before a read on its key that found the initial value.
    pub(crate) fn erased(precedence: &Precedence<'_, '_, '_>, write: AccessId, read: AccessId) -> Contradiction {
        let mut proof = Proof::new(precedence);
        let way = proof.way(write, read, precedence.links.len());
        proof.argument.push(format!("{way}. Yet the last of them found the initial value, as if nothing had been written."));
        proof.finish()
    }

    /// A read comes before the write that it found.
    pub(crate) fn future(precedence: &Precedence<'_, '_, '_>, read: AccessId) -> Contradiction {
        let mut proof = Proof::new(precedence);
        if let Act::Read(Source::Write(write)) = precedence.registers.access(read).act {
            let way = proof.way(read, write, 0);
            proof.argument.push(format!("{way}. Yet the first of them found what the last one wrote."));
        }
        proof.finish()
    }

    /// The link with this number closes a cycle with those before it.
    pub(crate) fn cycle(precedence: &Precedence<'_, '_, '_>, closing: usize) -> Contradiction {
        let link = precedence.links[closing];
        let mut proof = Proof::new(precedence);
        proof.explain(closing);
        let way = proof.way(link.to, link.from, closing);
        proof.argument.push(format!("But {way}: the first and the last of them would each have to come before the other."));
        proof.finish()
    }
}

impl<'p, 'r, 't, 'h> Proof<'p, 'r, 't, 'h> {
    fn new(precedence: &'p Precedence<'r, 't, 'h>) -> Self {
        Proof { precedence, operations: BTreeSet::new(), argument: Vec::new(), explained: BTreeSet::new() }
    }

    fn finish(mut self) -> Contradiction {
        for sentence in &mut self.argument {
            *sentence = capitalised(sentence);
        }
        Contradiction { operations: self.operations, argument: self.argument }
    }

    fn say(&mut self, id: AccessId) -> String {
        let operation = self.precedence.registers.access(id).operation;
        self.operations.insert(operation);
        describe(&self.precedence.registers.operations[operation as usize])
    }

    /// Why a link holds, after all that it rests on.
    fn explain(&mut self, number: usize) {
        if !self.explained.insert(number) || self.explained.len() > MOST_LINKS {
            return;
        }
        let link = self.precedence.links[number];
        let (from, to) = (self.say(link.from), self.say(link.to));
        let sentence = match link.rule {
            Rule::Overwritten => {
                let way = self.way(link.from, link.read, number);
                format!("{way}. The last of them found what {to} wrote, so {from} comes before {to}.")
            }
            Rule::NotYet => {
                let read = self.say(link.read);
                match self.precedence.registers.access(link.read).act {
                    Act::Read(Source::Write(write)) => {
                        let way = self.way(write, link.to, number);
                        format!("{way}. {read} still found the first of them, so it comes before {to}.")
                    }
                    _ => format!("{read} still found the initial value, so it comes before {to}."),
                }
            }
        };
        self.argument.push(sentence);
    }

    /// The way from one access to another in words, after the links that it takes.
    fn way(&mut self, from: AccessId, to: AccessId, below: usize) -> String {
        let path = self.precedence.path(from, to, below).unwrap_or_default();
        for &(hop, _) in &path {
            if let Hop::Link(link) = hop {
                self.explain(link);
            }
        }
        self.walk(from, &path)
    }

    fn walk(&mut self, from: AccessId, path: &Path) -> String {
        let mut words = self.say(from);
        let mut last = self.precedence.registers.access(from).operation;
        for &(hop, at) in path {
            let operation = self.precedence.registers.access(at).operation;
            if operation != last {
                words.push_str(match hop {
                    Hop::Session => ", then in its session ",
                    Hop::ReadsFrom => ", found by ",
                    Hop::Link(_) => ", which comes before ",
                });
                words.push_str(&self.say(at));
            }
            last = operation;
        }
        words
    }
}

/// The same operations alone: all that the argument needs, and where reads found it.
pub(crate) fn excerpt<'t, 'h>(registers: &Registers<'t, 'h>, operations: &BTreeSet<u32>) -> Registers<'t, 'h> {
    let mut keep: Vec<bool> = registers.accesses.iter().map(|access| operations.contains(&access.operation)).collect();
    for access in registers.accesses.iter().filter(|access| operations.contains(&access.operation)) {
        if let Act::Read(Source::Write(write)) = access.act {
            keep[write as usize] = true;
        }
    }
    registers.only(|id| keep[id as usize])
}
