//! Sequential, causal and PRAM consistency of short register histories with unique values, by trying every order.

use std::collections::HashSet;

use elenchus_core::{History, Kind, Process, Value};

/// A read or write of one register. A crashed write may not have happened.
struct Access {
    writes: Option<i64>,
    reads: Option<Value>,
    is_sure: bool,
}

/// The accesses of each process, in its order.
pub(crate) struct Sessions(Vec<Vec<Access>>);

/// Whether the access at a position of a session may come next, after as many of each session as are done.
type Ready<'r> = dyn Fn(&[usize], (usize, usize)) -> bool + 'r;

impl Sessions {
    /// Those of a history of one register.
    pub(crate) fn of(history: &History) -> Sessions {
        let mut names: Vec<Process> = Vec::new();
        let mut sessions: Vec<Vec<Access>> = Vec::new();
        for operation in history.operations().expect("well formed") {
            let at = names.iter().position(|&name| name == operation.process).unwrap_or_else(|| {
                names.push(operation.process);
                sessions.push(Vec::new());
                names.len() - 1
            });
            let writes = if operation.f == "write" { operation.input.as_int() } else { None };
            if operation.kind != Kind::Fail && (writes.is_some() || operation.output.is_some()) {
                let reads = if operation.f == "read" { operation.output.cloned() } else { None };
                sessions[at].push(Access { writes, reads, is_sure: operation.kind == Kind::Ok });
            }
        }
        Sessions(sessions)
    }

    /// Whether one order explains every process.
    pub(crate) fn are_sequential(&self) -> bool {
        let everyone: Vec<usize> = (0..self.0.len()).collect();
        self.explains(&everyone, &|_, _| true)
    }

    /// Whether for each process an order of all writes, true to every process' own, explains its reads.
    pub(crate) fn are_pram(&self) -> bool {
        (0..self.0.len()).all(|reader| self.explains(&[reader], &|_, _| true))
    }

    /// Whether for each process an order of all writes, true to cause and effect, explains its reads.
    pub(crate) fn are_causal(&self) -> bool {
        let causes = self.causes();
        let ready = |done: &[usize], (session, at): (usize, usize)| causes[session][at].iter().zip(done).all(|(need, have)| need <= have);
        (0..self.0.len()).all(|reader| self.explains(&[reader], &ready))
    }

    /// For every access, how many accesses of each process came before it by causality: its own process' and what it read, and theirs.
    fn causes(&self) -> Vec<Vec<Vec<usize>>> {
        let count = self.0.len();
        let writer = |value: i64| {
            let mut all =
                self.0.iter().enumerate().flat_map(|(session, own)| own.iter().enumerate().map(move |(at, access)| (session, at, access)));
            all.find(|(.., access)| access.writes == Some(value)).map(|(session, at, _)| (session, at))
        };
        let mut causes: Vec<Vec<Vec<usize>>> = self.0.iter().map(|own| vec![vec![0; count]; own.len()]).collect();
        loop {
            let before = causes.clone();
            for (session, own) in self.0.iter().enumerate() {
                for (at, access) in own.iter().enumerate() {
                    let read = access.reads.as_ref().and_then(Value::as_int).and_then(writer);
                    let previous = at.checked_sub(1).map(|previous| (session, previous));
                    for (from, position) in previous.into_iter().chain(read) {
                        let theirs = causes[from][position].clone();
                        let mine = &mut causes[session][at];
                        for (need, their) in mine.iter_mut().zip(theirs) {
                            *need = (*need).max(their);
                        }
                        mine[from] = mine[from].max(position + 1);
                    }
                }
            }
            if causes == before {
                return causes;
            }
        }
    }

    /// Whether an order of all writes, each allowed where `ready`, explains the reads of these readers.
    fn explains(&self, readers: &[usize], ready: &Ready<'_>) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![(vec![0; self.0.len()], Value::Nil)];
        while let Some((done, held)) = open.pop() {
            if !seen.insert((done.clone(), held.clone())) {
                continue;
            }
            if self.0.iter().zip(&done).all(|(own, &at)| own[at..].iter().all(|access| !access.is_sure)) {
                return true;
            }
            for (session, own) in self.0.iter().enumerate() {
                let Some(access) = own.get(done[session]) else { continue };
                let mut next = done.clone();
                next[session] += 1;
                let is_heard = readers.contains(&session);
                match (&access.reads, access.writes) {
                    _ if !ready(&done, (session, done[session])) => {}
                    (Some(read), _) if is_heard && *read != held => {}
                    (_, Some(value)) => {
                        open.push((next.clone(), value.into()));
                        if !access.is_sure {
                            open.push((next, held.clone()));
                        }
                    }
                    _ => open.push((next, held.clone())),
                }
            }
        }
        false
    }
}
