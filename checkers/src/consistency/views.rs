//! Models in which every session has a view of its own: an order of all writes and its own reads, in which each read returns the latest write.
//!
//! - *PRAM* (Lipton & Sandberg, PRAM: A Scalable Shared Memory, 1988): the view respects the order of every session.
//! - *Causal memory* (Ahamad, Neiger, Burns, Kohli, Hutto, Causal Memory, 1995; CM of Bouajjani et al., POPL 2017): it respects causality.
//!
//! The reads of a session are totally ordered, so saturation decides: a write that precedes a read of another write precedes that other write
//! (Bouajjani et al., Theorem 3 with the patterns WriteHBInitRead and CyclicHB; Wei et al., Verifying PRAM Consistency over Read/Write
//! Traces of Data Replicas, 2013).

use rustc_hash::{FxHashMap, FxHashSet};

use super::causal::cyclic;
use super::contradiction::Contradiction;
use super::link::{Link, Rule, Scope};
use super::order::{is_legal, points, topological_order};
use super::outcome::Outcome;
use super::precedence::Precedence;
use super::registers::{AccessId, AccessKind, Registers, Source};

/// Decides PRAM. O(n · sessions) for histories without many conflicts.
pub(crate) fn pram(registers: &Registers<'_, '_>) -> Outcome {
    judge(registers, false)
}

/// Decides causal memory. O(n · sessions) for histories without many conflicts.
pub(crate) fn causal_memory(registers: &Registers<'_, '_>) -> Outcome {
    judge(registers, true)
}

fn judge(registers: &Registers<'_, '_>, is_causal: bool) -> Outcome {
    let points = points(registers);
    let order = topological_order(registers, Scope::All, &[], &points);
    match &order {
        None if is_causal => return cyclic(registers),
        Some(order) if is_legal(registers, order) => return Outcome::Holds,
        _ => {}
    }
    // By access: its position in an order that extends causality, if there is one.
    let places = order.map(|order| {
        let mut places = vec![0_u32; order.len()];
        order.iter().enumerate().for_each(|(place, &id)| places[id as usize] = place as u32);
        places
    });
    for session in 0..registers.sessions.len() as u32 {
        let scope = if is_causal { Scope::All } else { Scope::Session(session) };
        let mut view = View::new(registers, session, scope);
        if let Err((write, read)) = view.saturate() {
            let precedence = Precedence::new(registers, scope, &view.links);
            return Outcome::Broken(Contradiction::initial_after_write(&precedence, write, read));
        }
        let forward = |places: &Vec<u32>| view.links.iter().all(|link| places[link.from as usize] < places[link.to as usize]);
        if places.as_ref().is_some_and(forward) || topological_order(registers, scope, &view.links, &points).is_some() {
            continue;
        }
        let precedence = Precedence::new(registers, scope, &view.links);
        let future = precedence.read_of_future().map(|read| Contradiction::read_of_future(&precedence, read));
        let contradiction = future.or_else(|| precedence.closing_link().map(|link| Contradiction::cycle(&precedence, link)));
        if let Some(contradiction) = contradiction {
            return Outcome::Broken(contradiction);
        }
    }
    Outcome::Holds
}

/// The precedence derived for one session's view.
struct View<'r, 't, 'h> {
    registers: &'r Registers<'t, 'h>,
    session: u32,
    scope: Scope,
    links: Vec<Link>,
    linked: FxHashSet<(AccessId, AccessId)>,
    /// By target of a link.
    into: FxHashMap<AccessId, Vec<AccessId>>,
    /// By session: the first access that is not known to precede the current one.
    known: Vec<AccessId>,
    /// By key: the maximal writes known to precede the current access.
    newest: FxHashMap<u32, Vec<AccessId>>,
}

impl<'r, 't, 'h> View<'r, 't, 'h> {
    fn new(registers: &'r Registers<'t, 'h>, session: u32, scope: Scope) -> Self {
        View {
            registers,
            session,
            scope,
            links: Vec::new(),
            linked: FxHashSet::default(),
            into: FxHashMap::default(),
            known: Vec::new(),
            newest: FxHashMap::default(),
        }
    }

    /// Derives all links; fails at a write that precedes a read of the initial value.
    fn saturate(&mut self) -> Result<(), (AccessId, AccessId)> {
        while self.pass()? {}
        Ok(())
    }

    /// Goes through the session once. Returns whether a new link affects reads that were passed already.
    fn pass(&mut self) -> Result<bool, (AccessId, AccessId)> {
        self.known = self.registers.sessions.iter().map(|session| session.start).collect();
        self.newest.clear();
        let mut has_new_links = false;
        for id in self.registers.sessions[self.session as usize].clone() {
            let access = *self.registers.access(id);
            let AccessKind::Read(source) = access.kind else {
                self.add_predecessors(id);
                continue;
            };
            let source_was_known = matches!(source, Source::Write(write) if self.is_known(write));
            self.add_predecessors(id);
            let newest = self.newest.entry(access.key).or_default();
            let Source::Write(found) = source else {
                match newest.first() {
                    Some(&write) => return Err((write, id)),
                    None => continue,
                }
            };
            let overwritten = std::mem::replace(newest, vec![found]);
            for write in overwritten.into_iter().filter(|&write| write != found) {
                let is_in_order = self.registers.access(write).session == self.registers.access(found).session && write < found;
                if !is_in_order && self.linked.insert((write, found)) {
                    self.links.push(Link { from: write, to: found, read: id, rule: Rule::WriteBeforeSource });
                    self.into.entry(found).or_default().push(write);
                    has_new_links |= source_was_known;
                }
            }
        }
        Ok(has_new_links)
    }

    fn is_known(&self, id: AccessId) -> bool {
        self.known[self.registers.access(id).session as usize] > id
    }

    /// Records that an access, and everything that precedes it, precedes the rest of the session.
    fn add_predecessors(&mut self, id: AccessId) {
        let mut worklist = vec![id];
        while let Some(id) = worklist.pop() {
            let session = self.registers.access(id).session as usize;
            let known = self.known[session];
            self.known[session] = known.max(id + 1);
            for at in known..id + 1 {
                let access = self.registers.access(at);
                if access.kind == AccessKind::Write {
                    self.newest.entry(access.key).or_default().push(at);
                }
                worklist.extend(self.scope.source(access));
                worklist.extend(self.into.get(&at).into_iter().flatten());
            }
        }
    }
}
