//! The oracle for data to which things are only added: grow-only sets and counters. What a transaction sees of a key is all that the transactions
//! it sees have put there, and what it has put there itself; levels differ in whom it may see.

use elenchus_checkers::transactional::{Datatype, Level};
use elenchus_core::Kind;

use super::{JUDGED, Step, Txn, permute};

/// Which of [`JUDGED`] some order of the transactions, with some of the crashed ones, satisfies; none of those that say nothing of such data.
pub fn satisfied(datatype: Datatype, txns: &[Txn]) -> [Option<bool>; 18] {
    let mut all = JUDGED.map(|_| None);
    let crashed: Vec<usize> = (0..txns.len()).filter(|&at| txns[at].kind == Kind::Info).collect();
    for chosen in 0..1_u32 << crashed.len() {
        let is_chosen = |at: usize| crashed.iter().position(|&crashed| crashed == at).is_some_and(|bit| chosen & 1 << bit != 0);
        let mut committed: Vec<usize> = (0..txns.len()).filter(|&at| txns[at].kind == Kind::Ok || is_chosen(at)).collect();
        permute(&mut committed, 0, &mut |order| {
            let order: Vec<&Txn> = order.iter().map(|&at| &txns[at]).collect();
            for (all, level) in all.iter_mut().zip(JUDGED) {
                if *all != Some(true) {
                    *all = Order { datatype, order: &order }.satisfies(level);
                }
            }
        });
    }
    all
}

struct Order<'t> {
    datatype: Datatype,
    order: &'t [&'t Txn],
}

impl Order<'_> {
    fn satisfies(&self, level: Level) -> Option<bool> {
        let none: &dyn Fn(usize, usize) -> bool = &|_, _| false;
        let session: &dyn Fn(usize, usize) -> bool =
            &|one, other| self.order[one].session == self.order[other].session && self.order[one].invoked < self.order[other].invoked;
        let time: &dyn Fn(usize, usize) -> bool =
            &|one, other| one != other && self.order[one].kind == Kind::Ok && self.order[one].completed <= self.order[other].invoked;
        let keeps = |before: &dyn Fn(usize, usize) -> bool| (0..self.order.len()).all(|one| (0..one).all(|other| !before(one, other)));
        let holds = match level {
            Level::ReadCommitted => self.each_read(),
            Level::StrongSessionReadCommitted => keeps(session) && self.each_read(),
            Level::StrongReadCommitted => keeps(time) && self.each_read(),
            Level::ReadAtomic => self.visible(none, false),
            Level::CausalCerone => self.visible(none, true),
            Level::TransactionalCausal => keeps(session) && self.visible(session, true),
            Level::Prefix | Level::SnapshotIsolation => self.snapshots(none),
            Level::StrongSessionSnapshotIsolation => keeps(session) && self.snapshots(session),
            Level::StrongSnapshotIsolation => keeps(time) && self.snapshots(time),
            Level::Serializable => self.serial(),
            Level::StrongSessionSerializable => keeps(session) && self.serial(),
            Level::StrictSerializable => keeps(time) && self.serial(),
            _ => return None,
        };
        Some(holds)
    }

    /// Whether a read returns the effects of the visible transactions and of its own transaction's earlier steps.
    fn is_explained(&self, reader: usize, at: usize, visible: u32) -> bool {
        self.is_explained_with(reader, at, visible, !0)
    }

    /// The same, with only those of its own transaction's steps whose bits are set.
    fn is_explained_with(&self, reader: usize, at: usize, visible: u32, own: u32) -> bool {
        let txn = self.order[reader];
        let Step::Read { key, told } = &txn.steps[at] else { return true };
        let of = |steps: &[Step]| -> Vec<i64> {
            let written = steps.iter().filter_map(|step| match step {
                Step::Write { key: other, value } if other == key => Some(*value),
                _ => None,
            });
            written.collect()
        };
        let mut held: Vec<i64> =
            (0..reader).filter(|place| visible & 1 << place != 0).flat_map(|place| of(&self.order[place].steps)).collect();
        let own_steps: Vec<Step> = (0..at).filter(|step| own & 1 << step != 0).map(|step| txn.steps[step].clone()).collect();
        held.extend(of(&own_steps));
        match self.datatype {
            Datatype::CounterInc => [held.iter().sum::<i64>()] == told[..],
            _ => {
                let mut told = told.clone();
                held.sort_unstable();
                told.sort_unstable();
                held == told
            }
        }
    }

    fn reads(&self, reader: usize) -> impl Iterator<Item = usize> + use<'_> {
        let count = if self.order[reader].kind == Kind::Ok { self.order[reader].steps.len() } else { 0 };
        0..count
    }

    /// Every read by itself sees some transactions before its own, whole. What a transaction does to its own writes is its own affair.
    fn each_read(&self) -> bool {
        let sees = |reader: usize, at: usize| {
            (0..1_u32 << at).any(|own| (0..1_u32 << reader).any(|visible| self.is_explained_with(reader, at, visible, own)))
        };
        (0..self.order.len()).all(|reader| self.reads(reader).all(|at| sees(reader, at)))
    }

    /// Every transaction sees all that came before it.
    fn serial(&self) -> bool {
        (0..self.order.len()).all(|reader| self.reads(reader).all(|at| self.is_explained(reader, at, (1 << reader) - 1)))
    }

    /// Every transaction sees all that came before some moment, and by then all that it must.
    fn snapshots(&self, must: &dyn Fn(usize, usize) -> bool) -> bool {
        (0..self.order.len()).all(|reader| {
            (0..=reader).any(|moment| {
                (moment..reader).all(|later| !must(later, reader))
                    && self.reads(reader).all(|at| self.is_explained(reader, at, (1 << moment) - 1))
            })
        })
    }

    /// Every transaction sees some that came before it, all that it must, and with each, if it is to be transitive, all that this sees.
    fn visible(&self, must: &dyn Fn(usize, usize) -> bool, transitive: bool) -> bool {
        self.choose(&mut Vec::new(), must, transitive)
    }

    fn choose(&self, chosen: &mut Vec<u32>, must: &dyn Fn(usize, usize) -> bool, transitive: bool) -> bool {
        let reader = chosen.len();
        if reader == self.order.len() {
            return true;
        }
        (0..1_u32 << reader).any(|visible| {
            let has = |place: usize| visible & 1 << place != 0;
            let is_closed = (0..reader)
                .all(|place| (has(place) || !must(place, reader)) && (!transitive || !has(place) || chosen[place] & !visible == 0));
            if !is_closed || !self.reads(reader).all(|at| self.is_explained(reader, at, visible)) {
                return false;
            }
            chosen.push(visible);
            let holds = self.choose(chosen, must, transitive);
            chosen.pop();
            holds
        })
    }
}
