//! Vector clocks: the prefix of every session that precedes an access.

use rustc_hash::FxHashMap;

use super::link::{Link, Scope};
use super::registers::{AccessId, Registers};

/// The maximum number of clock entries: 2 GiB.
const MAX_ENTRIES: usize = 1 << 29;

/// For every access and session, the first access of that session that does not precede it. Accesses with equal clocks share a row.
pub(crate) struct Clocks<'r, 't, 'h> {
    registers: &'r Registers<'t, 'h>,
    /// By access: its row.
    row_of: Vec<u32>,
    rows: Vec<AccessId>,
}

impl<'r, 't, 'h> Clocks<'r, 't, 'h> {
    /// Computes the clocks of causal order and links, given a linear extension of them; `None` if they would not fit into memory.
    /// O(rows · sessions), where only reads of other sessions' writes and targets of links need rows of their own.
    pub(crate) fn new(registers: &'r Registers<'t, 'h>, links: &[Link], order: &[AccessId]) -> Option<Clocks<'r, 't, 'h>> {
        let width = registers.sessions.len();
        let mut into: FxHashMap<AccessId, Vec<AccessId>> = FxHashMap::default();
        for link in links {
            into.entry(link.to).or_default().push(link.from);
        }
        let nothing: Vec<AccessId> = registers.sessions.iter().map(|session| session.start).collect();
        let mut clocks = Clocks { registers, row_of: vec![0; registers.accesses.len()], rows: nothing };
        let mut sources = Vec::new();
        for &id in order {
            let access = registers.access(id);
            let before = if id == registers.session_start(id) { 0 } else { clocks.row_of[id as usize - 1] };
            sources.clear();
            sources.extend(Scope::All.source(access).filter(|&write| registers.access(write).session != access.session));
            sources.extend(into.get(&id).into_iter().flatten());
            let news = sources.iter().any(|&source| clocks.rows[before as usize * width + clocks.session(source)] <= source);
            if !news {
                clocks.row_of[id as usize] = before;
                continue;
            }
            let row = clocks.rows.len();
            if row + width > MAX_ENTRIES {
                return None;
            }
            clocks.rows.extend_from_within(before as usize * width..(before as usize + 1) * width);
            for &source in &sources {
                let (earlier, mine) = clocks.rows.split_at_mut(row);
                let other = &earlier[clocks.row_of[source as usize] as usize * width..][..width];
                mine.iter_mut().zip(other).for_each(|(mine, other)| *mine = (*mine).max(*other));
                let own = registers.access(source).session as usize;
                mine[own] = mine[own].max(source + 1);
            }
            clocks.row_of[id as usize] = (row / width) as u32;
        }
        Some(clocks)
    }

    fn session(&self, id: AccessId) -> usize {
        self.registers.access(id).session as usize
    }

    /// Returns the first access of a session that does not precede this one.
    pub(crate) fn known(&self, id: AccessId, session: u32) -> AccessId {
        if self.registers.access(id).session == session {
            return id;
        }
        self.rows[self.row_of[id as usize] as usize * self.registers.sessions.len() + session as usize]
    }

    /// Returns whether the first access precedes the second.
    pub(crate) fn is_before(&self, first: AccessId, second: AccessId) -> bool {
        self.known(second, self.registers.access(first).session) > first
    }
}

/// Returns by key the writes of each session that has any, in session order.
pub(crate) fn writes_by_key(registers: &Registers<'_, '_>) -> Vec<Vec<(u32, Vec<AccessId>)>> {
    let mut by_key: Vec<Vec<(u32, Vec<AccessId>)>> = vec![Vec::new(); registers.keys.len()];
    let mut slot: FxHashMap<(u32, u32), usize> = FxHashMap::default();
    let writes = registers.numbered().filter(|(_, access)| access.kind == super::registers::AccessKind::Write);
    for (id, access) in writes {
        let sessions = &mut by_key[access.key as usize];
        let at = *slot.entry((access.key, access.session)).or_insert_with(|| {
            sessions.push((access.session, Vec::new()));
            sessions.len() - 1
        });
        sessions[at].1.push(id);
    }
    by_key
}
