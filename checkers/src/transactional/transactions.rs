//! A history of transactions, stored in columns.

use elenchus_core::{Event, EventIndex, Kind, Nanos, Process, Value};
use rustc_hash::FxHashMap;
use thiserror::Error;

use super::atoms::{Atom, Atoms, Numbering};
use super::datatype::Datatype;
use super::elements::{Element, Elements, NONE};
use super::lists::{ListRef, Lists};
use super::predicates::{Predicate, Predicates, Scan};

/// One step (micro-operation) of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MicroOp {
    pub(crate) key: u32,
    pub(crate) action: Action,
}

/// The action of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Wrote an element.
    Write(Element),
    /// Read a list or a set.
    List(ListRef),
    /// Read a register: an element, or [`NONE`] for the initial state.
    Register(Element),
    /// Read a counter: the index of the sum, see [`Transactions::sum`].
    Sum(u32),
    /// A read without a known result.
    Unknown,
}

/// Why an event cannot be part of a history of transactions.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PushError {
    /// A process, which is sequential, invoked a transaction while another was open.
    #[error("event {second}: process {process} invokes while its transaction of event {first} is still open")]
    DoubleInvoke {
        /// The process.
        process: Process,
        /// The open invocation.
        first: EventIndex,
        /// The second invocation.
        second: EventIndex,
    },
    /// The value is not a transaction of the workload.
    #[error("event {event}: {found} is not a transaction of this workload; expected {expected}")]
    Foreign {
        /// The event.
        event: EventIndex,
        /// The value or step that was found.
        found: String,
        /// The expected form.
        expected: &'static str,
    },
    /// A value was added to a list or set twice, so reads do not identify its writer.
    #[error("event {event}: {value} is written to {key} a second time; every value written to a key must be unique")]
    Repeated {
        /// The second write.
        event: EventIndex,
        /// The key.
        key: Value,
        /// The value.
        value: Value,
    },
    /// The history has more events or steps than can be numbered.
    #[error("event {0}: the history is too long; at most 2^32 - 2 events and steps are supported")]
    TooLong(EventIndex),
}

/// A history of transactions, in columns over transactions (by invocation), their steps, and the elements they wrote. A list that was
/// read is stored as the length of its common prefix with the other reads, so memory is linear in the number of steps.
#[derive(Debug)]
pub struct Transactions {
    datatype: Datatype,
    pub(crate) atoms: Atoms,
    pub(crate) elements: Elements,
    pub(crate) lists: Lists,
    pub(crate) predicates: Predicates,
    key_numbers: Numbering,
    keys: Vec<Atom>,
    /// The value of registers before the first write.
    initial: Atom,
    sessions: Numbering,
    /// For each session, its open transaction, or [`NONE`].
    open: Vec<u32>,
    session: Vec<u32>,
    processes: Vec<u32>,
    kind: Vec<Kind>,
    invoked: Vec<u32>,
    completed: Vec<u32>,
    invoked_at: Vec<Nanos>,
    steps_from: Vec<u32>,
    steps_len: Vec<u32>,
    steps: Vec<MicroOp>,
    /// The transactions that completed with `ok`, in order of completion.
    completions: Vec<u32>,
    /// By key, whether its initial value was written as well, so that a read of it is ambiguous.
    initial_written: Vec<bool>,
    /// The sums that reads of counters returned.
    sums: Vec<i64>,
    /// The commit timestamps that the store reported.
    commits: FxHashMap<u32, i64>,
    /// For each key, the last transaction that wrote it and the element.
    last_write: Vec<(u32, Element)>,
    events: u32,
    nemesis: Vec<Event>,
}

impl Transactions {
    /// Creates an empty history.
    pub fn new(datatype: Datatype) -> Transactions {
        let mut atoms = Atoms::default();
        let initial = atoms.of(&Value::Nil);
        Transactions {
            datatype,
            atoms,
            elements: Elements::default(),
            lists: Lists::default(),
            predicates: Predicates::default(),
            key_numbers: Numbering::default(),
            keys: Vec::new(),
            initial,
            sessions: Numbering::default(),
            open: Vec::new(),
            session: Vec::new(),
            processes: Vec::new(),
            kind: Vec::new(),
            invoked: Vec::new(),
            completed: Vec::new(),
            invoked_at: Vec::new(),
            steps_from: Vec::new(),
            steps_len: Vec::new(),
            steps: Vec::new(),
            completions: Vec::new(),
            initial_written: Vec::new(),
            sums: Vec::new(),
            commits: FxHashMap::default(),
            last_write: Vec::new(),
            events: 0,
            nemesis: Vec::new(),
        }
    }

    /// Sets the value of registers before the first write; the default is nil.
    pub fn with_initial(mut self, value: &Value) -> Transactions {
        self.initial = self.atoms.of(value);
        self
    }

    /// Creates an empty history with the same data type and initial value.
    pub(crate) fn empty(&self) -> Transactions {
        Transactions::new(self.datatype).with_initial(&self.atoms.value(self.initial))
    }

    /// Adds the next event of the history. Nemesis events are kept for their fault windows. A completion without an invocation stands for
    /// a transaction that began at an unknown time. Linear in the size of the event.
    ///
    /// # Errors
    /// When the event cannot be part of a history of transactions; the history cannot be checked then.
    pub fn push(&mut self, event: &Event) -> Result<(), PushError> {
        let at = self.events;
        if at >= NONE - 1 || self.steps.len() >= NONE as usize - 1_000_000 {
            return Err(PushError::TooLong(EventIndex(at)));
        }
        self.events += 1;
        let Process::Client(process) = event.process else {
            self.nemesis.push(event.clone());
            return Ok(());
        };
        let session = self.session_of(process);
        let open = self.open[session as usize];
        match (event.kind, open) {
            (Kind::Invoke, NONE) => {
                let transaction = self.begin(session, process, at, event.time);
                self.open[session as usize] = transaction;
                self.set_steps(transaction, event, at)
            }
            (Kind::Invoke, open) => Err(PushError::DoubleInvoke {
                process: event.process,
                first: EventIndex(self.invoked[open as usize]),
                second: EventIndex(at),
            }),
            (_, open) => {
                let is_new = open == NONE;
                let transaction = if is_new { self.begin(session, process, at, event.time) } else { open };
                self.open[session as usize] = NONE;
                self.kind[transaction as usize] = event.kind;
                self.completed[transaction as usize] = at;
                if event.kind == Kind::Ok {
                    self.completions.push(transaction);
                }
                if event.kind == Kind::Ok || is_new { self.set_steps(transaction, event, at) } else { Ok(()) }
            }
        }
    }

    fn session_of(&mut self, process: u32) -> u32 {
        let atom = Atom::of_int(i64::from(process)).unwrap_or(self.initial);
        self.sessions.get(atom).unwrap_or_else(|| {
            let session = self.open.len() as u32;
            self.sessions.insert(atom, session);
            self.open.push(NONE);
            session
        })
    }

    fn begin(&mut self, session: u32, process: u32, at: u32, time: Nanos) -> u32 {
        let transaction = self.kind.len() as u32;
        self.session.push(session);
        self.processes.push(process);
        self.kind.push(Kind::Info);
        self.invoked.push(at);
        self.completed.push(NONE);
        self.invoked_at.push(time);
        self.steps_from.push(self.steps.len() as u32);
        self.steps_len.push(0);
        transaction
    }

    /// Stores the steps of an event; they replace those of the invocation if there are equally many.
    fn set_steps(&mut self, transaction: u32, event: &Event, at: u32) -> Result<(), PushError> {
        let expected = match self.datatype {
            Datatype::ListAppend => "a list of steps like [\"append\" 3 1], [\"r\" 3 [1 2]] and [\"rp\" \"any\" [[3 [1 2]]]]",
            Datatype::RwRegister => "a list of steps like [\"w\" 3 1], [\"r\" 3 1] and [\"rp\" [\">\" 2] [[3 4]]]",
            Datatype::SetAdd => "a list of steps like [\"add\" 3 1] and [\"r\" 3 [1 2]]",
            Datatype::CounterInc => "a list of steps like [\"inc\" 3 1] and [\"r\" 3 4], all of whole numbers",
        };
        let foreign = |found: &Value| PushError::Foreign { event: EventIndex(at), found: found.to_string(), expected };
        let steps = event.value.get("txn").unwrap_or(&event.value).as_list().ok_or_else(|| foreign(&event.value))?;
        if let Some(commit) = event.value.get("commit").and_then(Value::as_int).filter(|_| event.kind == Kind::Ok) {
            self.commits.insert(transaction, commit);
        }
        let t = transaction as usize;
        let has_scan = steps.iter().any(|step| step.as_list().and_then(<[Value]>::first).and_then(Value::as_text) == Some("rp"));
        let replaces = self.steps_len[t] as usize == steps.len() && !has_scan;
        if !replaces {
            self.steps_from[t] = self.steps.len() as u32;
            self.steps_len[t] = 0;
        }
        let from = self.steps_from[t] as usize;
        for (place, step) in steps.iter().enumerate() {
            let (f, key, value) = match step.as_list() {
                Some([f, key, value]) => (f, key, value),
                Some([f, key]) => (f, key, &Value::Nil),
                _ => return Err(foreign(step)),
            };
            if f.as_text() == Some("rp") {
                let is_known = self.scan(transaction, event, key, value);
                is_known.ok_or_else(|| foreign(step))?;
                continue;
            }
            let key = self.key_in(event, key);
            let action = match (f.as_text(), self.datatype) {
                (Some("append"), Datatype::ListAppend) | (Some("add"), Datatype::SetAdd) | (Some("w" | "write"), Datatype::RwRegister) => {
                    Action::Write(self.write(transaction, key, value, at)?)
                }
                (Some("inc"), Datatype::CounterInc) if value.as_int().is_some() => match self.steps.get(from + place) {
                    // The completion repeats the write of the invocation.
                    Some(&MicroOp { action: action @ Action::Write(_), .. }) if replaces => action,
                    _ => Action::Write(self.write(transaction, key, value, at)?),
                },
                (Some("r" | "read"), _) if event.kind != Kind::Ok => Action::Unknown,
                (Some("r" | "read"), _) => self.read(key, value).ok_or_else(|| foreign(step))?,
                _ => return Err(foreign(step)),
            };
            let step = MicroOp { key, action };
            if replaces {
                self.steps[from + place] = step;
            } else {
                self.steps.push(step);
            }
        }
        self.steps_len[t] = if replaces { steps.len() as u32 } else { self.steps.len() as u32 - self.steps_from[t] };
        Ok(())
    }

    /// Stores a predicate read, whose result is known only if the event is `ok`: the items found as reads, and that nothing else matched.
    fn scan(&mut self, transaction: u32, event: &Event, predicate: &Value, found: &Value) -> Option<()> {
        let parsed = Predicate::of(predicate, self.datatype)?;
        let pairs: Vec<(&Value, &Value)> = match found {
            Value::Nil => Vec::new(),
            Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
            _ => found
                .as_list()?
                .iter()
                .map(|pair| pair.as_list()?.split_first_chunk().map(|([key, value], _)| (key, value)))
                .collect::<Option<_>>()?,
        };
        if event.kind != Kind::Ok {
            return Some(());
        }
        let name = self.atoms.of(predicate);
        let at = self.steps.len() as u32 - self.steps_from[transaction as usize];
        let predicate = self.predicates.number(name, parsed);
        let mut keys = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let key = self.key_in(event, key);
            keys.push(key);
            let action = self.read(key, value)?;
            self.steps.push(MicroOp { key, action });
        }
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        self.predicates.add(transaction, Scan { at, predicate, found: keys });
        Some(())
    }

    /// Stores the result of a read; returns `None` if it is not a value of the workload.
    fn read(&mut self, key: u32, value: &Value) -> Option<Action> {
        match self.datatype {
            Datatype::ListAppend => {
                let list = if value.is_nil() { &[] } else { value.as_list()? };
                Some(Action::List(self.lists.observe(key, list, &mut self.atoms, &mut self.elements)))
            }
            Datatype::SetAdd => {
                let set = if value.is_nil() { &[] } else { value.as_list()? };
                Some(Action::List(self.lists.observe_set(key, set, &mut self.atoms, &mut self.elements)))
            }
            Datatype::RwRegister => Some(Action::Register(self.read_register(key, value))),
            Datatype::CounterInc => {
                self.sums.push(if value.is_nil() { 0 } else { value.as_int()? });
                Some(Action::Sum(self.sums.len() as u32 - 1))
            }
        }
    }

    /// The number of a key, which is qualified by the event's own key if there is one.
    fn key_in(&mut self, event: &Event, key: &Value) -> u32 {
        match &event.key {
            None => self.key_of(key),
            Some(object) => self.key_of(&Value::pair(object.clone(), key.clone())),
        }
    }

    fn key_of(&mut self, key: &Value) -> u32 {
        let atom = self.atoms.of(key);
        self.key_numbers.get(atom).unwrap_or_else(|| {
            let number = self.keys.len() as u32;
            self.key_numbers.insert(atom, number);
            self.keys.push(atom);
            self.initial_written.push(false);
            self.last_write.push((NONE, NONE));
            number
        })
    }

    fn write(&mut self, transaction: u32, key: u32, value: &Value, at: u32) -> Result<Element, PushError> {
        let atom = self.atoms.of(value);
        if self.datatype == Datatype::CounterInc {
            let element = self.elements.fresh(atom);
            self.elements.set_writer(element, transaction);
            return Ok(element);
        }
        self.initial_written[key as usize] |= self.datatype == Datatype::RwRegister && atom == self.initial;
        let element = self.elements.of(key, atom);
        let (writer, last) = self.last_write[key as usize];
        match self.elements.writer(element) {
            NONE => self.elements.set_writer(element, transaction),
            // The completion repeats the write of the invocation.
            known if known == transaction && self.restates_invocation(transaction, at) => return Ok(element),
            _ if matches!(self.datatype, Datatype::ListAppend | Datatype::SetAdd) => {
                return Err(PushError::Repeated { event: EventIndex(at), key: self.key(key), value: value.clone() });
            }
            _ => self.elements.set_repeated(element),
        }
        if writer == transaction && last != element {
            self.elements.set_intermediate(last);
            // The additions of one transaction to a set have no last one: a reader must see all of them or none.
            if self.datatype == Datatype::SetAdd {
                self.elements.set_intermediate(element);
            }
        }
        self.last_write[key as usize] = (transaction, element);
        Ok(element)
    }

    /// Returns whether this event completes a transaction whose invocation was recorded, so that its writes are known already.
    fn restates_invocation(&self, transaction: u32, at: u32) -> bool {
        self.completed[transaction as usize] == at && self.has_begin(transaction)
    }

    fn read_register(&mut self, key: u32, value: &Value) -> Element {
        let atom = self.atoms.of(value);
        if atom == self.initial {
            return NONE;
        }
        let element = self.elements.of(key, atom);
        self.elements.set_observed(element);
        element
    }

    /// The number of transactions.
    pub fn len(&self) -> usize {
        self.kind.len()
    }

    /// Returns whether there are no transactions.
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty()
    }

    /// The number of events that were added.
    pub fn events(&self) -> usize {
        self.events as usize
    }

    /// The data type.
    pub fn datatype(&self) -> Datatype {
        self.datatype
    }

    /// How a transaction ended; `Info` if it never completed.
    pub(crate) fn kind(&self, transaction: u32) -> Kind {
        self.kind[transaction as usize]
    }

    /// The session of a transaction, numbered from 0.
    pub(crate) fn session(&self, transaction: u32) -> u32 {
        self.session[transaction as usize]
    }

    pub(crate) fn sessions(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn process(&self, transaction: u32) -> u32 {
        self.processes[transaction as usize]
    }

    /// Returns whether the invocation was recorded. If not, the completion stands for both, and the time of the begin is unknown.
    pub(crate) fn has_begin(&self, transaction: u32) -> bool {
        self.invoked[transaction as usize] != self.completed[transaction as usize]
    }

    /// The event of the invocation.
    pub(crate) fn invoked(&self, transaction: u32) -> EventIndex {
        EventIndex(self.invoked[transaction as usize])
    }

    /// The event of the completion, if there is one.
    pub(crate) fn completed(&self, transaction: u32) -> Option<EventIndex> {
        Some(self.completed[transaction as usize]).filter(|&at| at != NONE).map(EventIndex)
    }

    /// The time of the invocation.
    pub(crate) fn invoked_at(&self, transaction: u32) -> Nanos {
        self.invoked_at[transaction as usize]
    }

    /// The steps of a transaction.
    pub(crate) fn steps(&self, transaction: u32) -> &[MicroOp] {
        let from = self.steps_from[transaction as usize] as usize;
        &self.steps[from..from + self.steps_len[transaction as usize] as usize]
    }

    /// The (key, element) pairs that a transaction wrote.
    pub(crate) fn writes(&self, transaction: u32) -> impl Iterator<Item = (u32, Element)> + '_ {
        self.steps(transaction).iter().filter_map(|step| match step.action {
            Action::Write(element) => Some((step.key, element)),
            _ => None,
        })
    }

    /// The version that a step read: an element, or [`NONE`] for the initial state; `None` if the step is not a read or the version is
    /// ambiguous.
    pub(crate) fn version(&self, step: &MicroOp) -> Option<Element> {
        match step.action {
            Action::List(observed) => Some(self.lists.list(step.key, observed).last().copied().unwrap_or(NONE)),
            Action::Register(NONE) if !self.initial_written[step.key as usize] => Some(NONE),
            Action::Register(element) if element != NONE && !self.elements.is_repeated(element) => Some(element),
            _ => None,
        }
    }

    /// The sum that a read of a counter returned.
    pub(crate) fn sum(&self, step: &MicroOp) -> Option<i64> {
        match step.action {
            Action::Sum(at) => self.sums.get(at as usize).copied(),
            _ => None,
        }
    }

    /// The commit timestamp of a transaction, if the store reported one.
    pub(crate) fn commit(&self, transaction: u32) -> Option<i64> {
        self.commits.get(&transaction).copied()
    }

    /// Returns whether any transaction has a commit timestamp.
    pub(crate) fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// The transactions that completed with `ok`, in order of completion.
    pub(crate) fn completions(&self) -> &[u32] {
        &self.completions
    }

    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The value of a key.
    pub(crate) fn key(&self, key: u32) -> Value {
        self.atoms.value(self.keys[key as usize])
    }

    /// The value of an element.
    pub(crate) fn value(&self, element: Element) -> Value {
        self.atoms.value(if element == NONE { self.initial } else { self.elements.atom(element) })
    }

    /// Returns whether an element equals the initial value of its register, so that a read of it is ambiguous.
    pub(crate) fn is_initial(&self, element: Element) -> bool {
        self.datatype == Datatype::RwRegister && self.elements.atom(element) == self.initial
    }

    /// The nemesis events, in order.
    pub(crate) fn nemesis(&self) -> &[Event] {
        &self.nemesis
    }

    /// Approximate heap size of the columns, in bytes.
    pub fn bytes(&self) -> usize {
        self.atoms.bytes()
            + self.elements.bytes()
            + self.lists.bytes()
            + self.steps.capacity() * size_of::<MicroOp>()
            + self.kind.capacity() * (6 * 4 + 1 + size_of::<Nanos>())
            + self.completions.capacity() * 4
            + self.sums.capacity() * 8
            + self.keys.capacity() * 16
    }
}
