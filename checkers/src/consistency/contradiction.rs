//! Contradictions in a precedence, with their arguments.

use std::collections::BTreeSet;

use super::link::Rule;
use super::precedence::{Path, Precedence, StepKind};
use super::registers::{AccessId, AccessKind, Registers, Source};
use super::wording::{capitalised, describe};

/// The maximum number of links that an argument explains.
const MAX_LINKS: usize = 64;

/// A contradiction: operations that no order allowed by the model can explain.
#[derive(Clone, Debug)]
pub(crate) struct Contradiction {
    /// The positions of its operations, in order of invocation.
    pub(crate) operations: BTreeSet<u32>,
    /// The argument, one sentence for each step.
    pub(crate) argument: Vec<String>,
}

/// An argument under construction.
struct Proof<'p, 'r, 't, 'h> {
    precedence: &'p Precedence<'r, 't, 'h>,
    operations: BTreeSet<u32>,
    argument: Vec<String>,
    explained: BTreeSet<usize>,
}

impl Contradiction {
    /// A write precedes a read on its key that returned the initial value.
    pub(crate) fn initial_after_write(precedence: &Precedence<'_, '_, '_>, write: AccessId, read: AccessId) -> Contradiction {
        let mut proof = Proof::new(precedence);
        let path_text = proof.path_text(write, read, precedence.links.len());
        proof.argument.push(format!("{path_text}. But the last of them returned the initial value."));
        proof.finish()
    }

    /// A read precedes the write whose value it returned.
    pub(crate) fn read_of_future(precedence: &Precedence<'_, '_, '_>, read: AccessId) -> Contradiction {
        let mut proof = Proof::new(precedence);
        if let AccessKind::Read(Source::Write(write)) = precedence.registers.access(read).kind {
            let path_text = proof.path_text(read, write, 0);
            proof.argument.push(format!("{path_text}. But the first of them returned the value that the last one wrote."));
        }
        proof.finish()
    }

    /// The link with this number closes a cycle with earlier links.
    pub(crate) fn cycle(precedence: &Precedence<'_, '_, '_>, closing: usize) -> Contradiction {
        let link = precedence.links[closing];
        let mut proof = Proof::new(precedence);
        proof.explain(closing);
        let path_text = proof.path_text(link.to, link.from, closing);
        proof.argument.push(format!("But {path_text}: the first and the last of them would each have to precede the other."));
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

    fn text(&mut self, id: AccessId) -> String {
        let operation = self.precedence.registers.access(id).operation;
        self.operations.insert(operation);
        describe(&self.precedence.registers.operations[operation as usize])
    }

    /// Explains a link, after the links that it depends on.
    fn explain(&mut self, number: usize) {
        if !self.explained.insert(number) || self.explained.len() > MAX_LINKS {
            return;
        }
        let link = self.precedence.links[number];
        let (from, to) = (self.text(link.from), self.text(link.to));
        let sentence = match link.rule {
            Rule::WriteBeforeSource => {
                let path_text = self.path_text(link.from, link.read, number);
                format!("{path_text}. The last of them returned the value of {to}, so {from} precedes {to}.")
            }
            Rule::ReadBeforeOverwrite => {
                let read = self.text(link.read);
                match self.precedence.registers.access(link.read).kind {
                    AccessKind::Read(Source::Write(write)) => {
                        let path_text = self.path_text(write, link.to, number);
                        format!("{path_text}. {read} still returned the value of the first of them, so it precedes {to}.")
                    }
                    _ => format!("{read} still returned the initial value, so it precedes {to}."),
                }
            }
        };
        self.argument.push(sentence);
    }

    /// Describes the path from one access to another, after explaining its links.
    fn path_text(&mut self, from: AccessId, to: AccessId, below: usize) -> String {
        let path = self.precedence.path(from, to, below).unwrap_or_default();
        for &(step, _) in &path {
            if let StepKind::Link(link) = step {
                self.explain(link);
            }
        }
        self.render(from, &path)
    }

    fn render(&mut self, from: AccessId, path: &Path) -> String {
        let mut words = self.text(from);
        let mut last = self.precedence.registers.access(from).operation;
        for &(step, at) in path {
            let operation = self.precedence.registers.access(at).operation;
            if operation != last {
                words.push_str(match step {
                    StepKind::Session => ", then in its session ",
                    StepKind::ReadsFrom => ", read by ",
                    StepKind::Link(_) => ", which precedes ",
                });
                words.push_str(&self.text(at));
            }
            last = operation;
        }
        words
    }
}

/// Restricts a history to some operations and the writes that they read from.
pub(crate) fn excerpt<'t, 'h>(registers: &Registers<'t, 'h>, operations: &BTreeSet<u32>) -> Registers<'t, 'h> {
    let mut keep: Vec<bool> = registers.accesses.iter().map(|access| operations.contains(&access.operation)).collect();
    for access in registers.accesses.iter().filter(|access| operations.contains(&access.operation)) {
        if let AccessKind::Read(Source::Write(write)) = access.kind {
            keep[write as usize] = true;
        }
    }
    registers.only(|id| keep[id as usize])
}
