//! A history of transactions in columns: what is kept of each event when it has been seen.

use elenchus_core::{Event, EventIndex, Kind, Nanos, Process, Value};
use rustc_hash::FxHashMap;
use thiserror::Error;

use super::atoms::{Atom, Atoms, Numbering};
use super::elements::{Element, Elements, NONE};
use super::lists::{Lists, Told};
use super::predicates::{Predicate, Predicates, Scan};

/// What the transactions of a workload are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// `[:append k v]` adds to a list, `[:r k [v …]]` reads it whole.
    ListAppend,
    /// `[:w k v]` sets a register, `[:r k v]` reads it.
    RwRegister,
    /// `[:add k v]` puts into a set, which only grows, `[:r k [v …]]` reads it whole.
    SetAdd,
    /// `[:inc k n]` adds to a counter, `[:r k n]` reads it.
    CounterInc,
}

impl Datatype {
    /// All, by the names of their workloads and checkers.
    pub const NAMES: [(Datatype, &'static str); 4] = [
        (Datatype::ListAppend, "list-append"),
        (Datatype::RwRegister, "rw-register"),
        (Datatype::SetAdd, "set-add"),
        (Datatype::CounterInc, "counter-inc"),
    ];

    /// What the transactions of a workload are about.
    pub fn named(name: &str) -> Option<Datatype> {
        Datatype::NAMES.into_iter().find(|(_, other)| *other == name).map(|(datatype, _)| datatype)
    }
}

/// One step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MicroOp {
    pub(crate) key: u32,
    pub(crate) act: Act,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Added or set an element.
    Write(Element),
    /// Read a list or a set.
    List(Told),
    /// Read a register: an element, or [`NONE`] for the initial state.
    Register(Element),
    /// Read a counter: its value, by number. Named by [`Transactions::sum`].
    Sum(u32),
    /// Read, and nobody knows what.
    Unknown,
}

/// Why an event is no part of a history of transactions.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PushError {
    /// A process, which does one thing at a time, asked again before it was answered.
    #[error("event {second}: process {process} invokes while its transaction of event {first} is still open")]
    DoubleInvoke {
        /// The process.
        process: Process,
        /// Its open invocation.
        first: EventIndex,
        /// The one too many.
        second: EventIndex,
    },
    /// Its value is no transaction of the workload.
    #[error("event {event}: {found} is no part of a transaction; expected {expected}")]
    Foreign {
        /// The event.
        event: EventIndex,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// An element was added to a list or set twice, so that reads do not tell who added it.
    #[error("event {event}: {value} is put into {key} for the second time; what is put into a key must be unique")]
    Repeated {
        /// The second append.
        event: EventIndex,
        /// The key.
        key: Value,
        /// The element.
        value: Value,
    },
    /// More than can be numbered.
    #[error("event {0}: the history is too long; at most 2^32 - 2 events and steps can be judged")]
    TooLong(EventIndex),
}

/// A history of transactions, in columns over transactions (in order of invocation), their steps, and the elements they wrote. A list that was
/// read is kept as the length of the prefix that reads have in common, so that memory is linear in the number of steps.
#[derive(Debug)]
pub struct Transactions {
    datatype: Datatype,
    pub(crate) atoms: Atoms,
    pub(crate) elements: Elements,
    pub(crate) lists: Lists,
    pub(crate) predicates: Predicates,
    key_numbers: Numbering,
    keys: Vec<Atom>,
    /// What keys hold before anything is written, for registers.
    initial: Atom,
    sessions: Numbering,
    /// For each session its open transaction, or [`NONE`].
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
    /// Those that are known to have happened, in order of completion.
    completions: Vec<u32>,
    /// By key, whether what it holds initially was written as well, so that a read does not tell which was meant.
    initial_written: Vec<bool>,
    /// What reads of counters were told.
    sums: Vec<i64>,
    /// When a transaction committed by the store's own clock, where it said so.
    commits: FxHashMap<u32, i64>,
    /// For each key the last transaction that wrote it, and what.
    last_write: Vec<(u32, Element)>,
    events: u32,
    nemesis: Vec<Event>,
}

impl Transactions {
    /// An empty history.
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

    /// The same, where registers hold this value before anything is written to them, in place of nil.
    pub fn with_initial(mut self, value: &Value) -> Transactions {
        self.initial = self.atoms.of(value);
        self
    }

    /// An empty history of the same kind.
    pub(crate) fn empty(&self) -> Transactions {
        Transactions::new(self.datatype).with_initial(&self.atoms.value(self.initial))
    }

    /// Takes the next event of the history. The nemesis' are remembered for what they say about faults. A completion whose invocation was not
    /// recorded stands for a transaction that began at an unknown time. O(what the event says).
    ///
    /// # Errors
    /// When the event can be no part of a history of transactions; the history cannot be judged then.
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

    /// Writes down the steps that an event names: in the place of those that were invoked, where they are as many.
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
            let act = match (f.as_text(), self.datatype) {
                (Some("append"), Datatype::ListAppend) | (Some("add"), Datatype::SetAdd) | (Some("w" | "write"), Datatype::RwRegister) => {
                    Act::Write(self.write(transaction, key, value, at)?)
                }
                (Some("inc"), Datatype::CounterInc) if value.as_int().is_some() => match self.steps.get(from + place) {
                    // The completion says again what the invocation said.
                    Some(&MicroOp { act: act @ Act::Write(_), .. }) if replaces => act,
                    _ => Act::Write(self.write(transaction, key, value, at)?),
                },
                (Some("r" | "read"), _) if event.kind != Kind::Ok => Act::Unknown,
                (Some("r" | "read"), _) => self.read(key, value).ok_or_else(|| foreign(step))?,
                _ => return Err(foreign(step)),
            };
            let step = MicroOp { key, act };
            if replaces {
                self.steps[from + place] = step;
            } else {
                self.steps.push(step);
            }
        }
        self.steps_len[t] = if replaces { steps.len() as u32 } else { self.steps.len() as u32 - self.steps_from[t] };
        Ok(())
    }

    /// Takes in a predicate read: what it found, as reads, and that it found nothing else. What it finds is known only once it is `ok`.
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
            let act = self.read(key, value)?;
            self.steps.push(MicroOp { key, act });
        }
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        self.predicates.add(transaction, Scan { at, predicate, found: keys });
        Some(())
    }

    /// What a read of a key was told; none if it is no value of the workload.
    fn read(&mut self, key: u32, value: &Value) -> Option<Act> {
        match self.datatype {
            Datatype::ListAppend => {
                let list = if value.is_nil() { &[] } else { value.as_list()? };
                Some(Act::List(self.lists.observe(key, list, &mut self.atoms, &mut self.elements)))
            }
            Datatype::SetAdd => {
                let set = if value.is_nil() { &[] } else { value.as_list()? };
                Some(Act::List(self.lists.observe_set(key, set, &mut self.atoms, &mut self.elements)))
            }
            Datatype::RwRegister => Some(Act::Register(self.read_register(key, value))),
            Datatype::CounterInc => {
                self.sums.push(if value.is_nil() { 0 } else { value.as_int()? });
                Some(Act::Sum(self.sums.len() as u32 - 1))
            }
        }
    }

    /// The number of a key, which may be within an object.
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
            // The completion says again what the invocation said.
            known if known == transaction && self.open_or_last(transaction, at) => return Ok(element),
            _ if matches!(self.datatype, Datatype::ListAppend | Datatype::SetAdd) => {
                return Err(PushError::Repeated { event: EventIndex(at), key: self.key(key), value: value.clone() });
            }
            _ => self.elements.set_repeated(element),
        }
        if writer == transaction && last != element {
            self.elements.set_intermediate(last);
            // Of what one transaction put into a set, none is the last: it is there whole or not at all.
            if self.datatype == Datatype::SetAdd {
                self.elements.set_intermediate(element);
            }
        }
        self.last_write[key as usize] = (transaction, element);
        Ok(element)
    }

    /// Whether this event completes a transaction whose invocation was recorded: its writes are known already.
    fn open_or_last(&self, transaction: u32, at: u32) -> bool {
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

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.kind.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty()
    }

    /// How many events were taken.
    pub fn events(&self) -> usize {
        self.events as usize
    }

    /// What they are about.
    pub fn datatype(&self) -> Datatype {
        self.datatype
    }

    /// What became of a transaction; one that never returned is `Info`.
    pub(crate) fn kind(&self, transaction: u32) -> Kind {
        self.kind[transaction as usize]
    }

    /// Its session, numbered from 0.
    pub(crate) fn session(&self, transaction: u32) -> u32 {
        self.session[transaction as usize]
    }

    pub(crate) fn sessions(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn process(&self, transaction: u32) -> u32 {
        self.processes[transaction as usize]
    }

    /// Whether its invocation was recorded. Where it was not, its completion stands for both, and nobody knows when it began.
    pub(crate) fn has_begin(&self, transaction: u32) -> bool {
        self.invoked[transaction as usize] != self.completed[transaction as usize]
    }

    /// Where it was invoked.
    pub(crate) fn invoked(&self, transaction: u32) -> EventIndex {
        EventIndex(self.invoked[transaction as usize])
    }

    /// Where it completed, if it did.
    pub(crate) fn completed(&self, transaction: u32) -> Option<EventIndex> {
        Some(self.completed[transaction as usize]).filter(|&at| at != NONE).map(EventIndex)
    }

    /// When it was invoked.
    pub(crate) fn invoked_at(&self, transaction: u32) -> Nanos {
        self.invoked_at[transaction as usize]
    }

    /// Its steps.
    pub(crate) fn steps(&self, transaction: u32) -> &[MicroOp] {
        let from = self.steps_from[transaction as usize] as usize;
        &self.steps[from..from + self.steps_len[transaction as usize] as usize]
    }

    /// What it wrote, with the keys.
    pub(crate) fn writes(&self, transaction: u32) -> impl Iterator<Item = (u32, Element)> + '_ {
        self.steps(transaction).iter().filter_map(|step| match step.act {
            Act::Write(element) => Some((step.key, element)),
            _ => None,
        })
    }

    /// The version that a step read: an element, or [`NONE`] for the initial state; nothing where it is no read or cannot be told.
    pub(crate) fn version(&self, step: &MicroOp) -> Option<Element> {
        match step.act {
            Act::List(told) => Some(self.lists.list(step.key, told).last().copied().unwrap_or(NONE)),
            Act::Register(NONE) if !self.initial_written[step.key as usize] => Some(NONE),
            Act::Register(element) if element != NONE && !self.elements.is_repeated(element) => Some(element),
            _ => None,
        }
    }

    /// What a read of a counter was told.
    pub(crate) fn sum(&self, step: &MicroOp) -> Option<i64> {
        match step.act {
            Act::Sum(at) => self.sums.get(at as usize).copied(),
            _ => None,
        }
    }

    /// When a transaction committed by the store's own clock, where it said so.
    pub(crate) fn commit(&self, transaction: u32) -> Option<i64> {
        self.commits.get(&transaction).copied()
    }

    /// Whether any transaction said when it committed.
    pub(crate) fn has_commits(&self) -> bool {
        !self.commits.is_empty()
    }

    /// Those that returned `ok`, in order of completion.
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

    /// Whether an element is what its register holds before anything is written, so that a read does not tell which was meant.
    pub(crate) fn is_initial(&self, element: Element) -> bool {
        self.datatype == Datatype::RwRegister && self.elements.atom(element) == self.initial
    }

    /// What the nemesis said, in order.
    pub(crate) fn nemesis(&self) -> &[Event] {
        &self.nemesis
    }

    /// What the columns occupy on the heap, about.
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
