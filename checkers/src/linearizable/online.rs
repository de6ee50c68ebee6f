//! Linearizability checking while a history is being recorded.
//!
//! Each object has *bases*: moments with every configuration that the object may be in there (see [`SavedConfiguration`]). What happened
//! before the first base is dropped. An operation that has not completed counts as crashed, with an unknown result. When one completes, the
//! object is checked again from the last base before that operation's invocation. So the first base may move up to the invocation of the
//! oldest open operation. Later bases assume that certain open operations never complete; they keep operations that hang from slowing down
//! the check of those that complete soon.

use std::collections::HashMap;

use elenchus_core::{Event, EventIndex, HistoryError, Kind, Model, NodeIndex, Operation, Process, Symbol, Value, Verdict};

use super::CheckError;
use super::bits::{Bits, Widest};
use super::budget::{Budget, Exceeded, Spent};
use super::judgement::LinearizableOptions;
use super::outcome::Outcome;
use super::problem::{Problem, takes_part};
use super::search::{Resumed, SavedConfiguration, resume};

/// The least number of moments between two bases.
const SPACING: usize = 64;

/// Checks events one by one, in the order in which they happened. Holds only open and crashed operations, and for each object the
/// configurations at its oldest open operation.
///
/// After every event the verdict equals that of [`check`](super::check) on the events so far.
///
/// ```
/// use elenchus_checkers::linearizable::{Online, LinearizableOptions};
/// use elenchus_checkers::models::Register;
/// use elenchus_core::{Event, Kind, Nanos, Process, Symbol, Value};
///
/// let event = |kind, f, value: i64| Event {
///     time: Nanos::ZERO, process: Process::Client(0), kind, f: Symbol::of(f),
///     key: None, value: Value::Int(value), error: None, node: None,
/// };
/// let mut online = Online::new(Register::default(), &LinearizableOptions::default());
/// for event in [event(Kind::Invoke, "write", 1), event(Kind::Ok, "write", 1), event(Kind::Invoke, "read", 0)] {
///     assert_eq!(online.push(&event), Ok(None));
/// }
/// let violation = online.push(&event(Kind::Ok, "read", 2)).unwrap().expect("2 was never written");
/// assert_eq!((violation.operation.0, violation.completion.0), (2, 3));
/// ```
pub struct Online<M: Model> {
    model: M,
    memory: usize,
    /// The number of events so far.
    events: u32,
    /// By process with an open operation: the object and the invocation.
    open: HashMap<u32, (usize, EventIndex)>,
    objects: Vec<Object<M::State>>,
    known: HashMap<Option<Value>, usize>,
    violation: Option<Violation>,
    undecided: Option<&'static str>,
    peak_bytes: usize,
}

/// The first event at which a history is certainly not linearizable.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The object's key, if the history has several objects.
    pub key: Option<Value>,
    /// The invocation of the operation whose completion makes it certain.
    pub operation: EventIndex,
    /// That completion.
    pub completion: EventIndex,
}

/// An operation that may still matter.
#[derive(Clone, Debug)]
struct HeldOperation {
    process: Process,
    f: Symbol,
    key: Option<Value>,
    input: Value,
    output: Option<Value>,
    /// [`Kind::Invoke`] while the operation is open.
    kind: Kind,
    invoked: EventIndex,
    completed: Option<EventIndex>,
    node: Option<NodeIndex>,
}

impl HeldOperation {
    fn operation(&self) -> Operation<'_> {
        Operation {
            process: self.process,
            f: self.f,
            key: self.key.as_ref(),
            input: &self.input,
            output: self.output.as_ref(),
            kind: if self.kind == Kind::Invoke { Kind::Info } else { self.kind },
            invoked: self.invoked,
            completed: self.completed,
            node: self.node,
        }
    }

    fn returned_before(&self, at: EventIndex) -> bool {
        self.kind == Kind::Ok && self.completed.is_some_and(|completed| completed < at)
    }
}

/// A moment from which an object can be checked.
#[derive(Clone, Debug)]
struct Base<S> {
    /// The event that it precedes.
    at: EventIndex,
    saved: Vec<SavedConfiguration<S>>,
    /// The open operations that are assumed never to complete.
    assumes: Vec<EventIndex>,
}

struct Object<S> {
    /// In order of invocation.
    held: Vec<HeldOperation>,
    /// The first base assumes nothing; each later one assumes all that the previous one assumes, and more.
    bases: Vec<Base<S>>,
    /// The limit that stopped its check.
    given_up: Option<Exceeded>,
}

impl<M: Model> Online<M> {
    /// Creates a checker without events. Only [`LinearizableOptions::memory`] is used: it limits the search for one object.
    pub fn new(model: M, options: &LinearizableOptions) -> Online<M> {
        Online {
            model,
            memory: options.memory,
            events: 0,
            open: HashMap::new(),
            objects: Vec::new(),
            known: HashMap::new(),
            violation: None,
            undecided: None,
            peak_bytes: 0,
        }
    }

    /// Processes the next event. Returns the first violation once, at the event that makes it certain; later events are not checked.
    ///
    /// # Errors
    /// When no history has this event here, or the model does not have the operation. The event then counts as not pushed.
    pub fn push(&mut self, event: &Event) -> Result<Option<Violation>, CheckError> {
        let index = EventIndex(self.events);
        let Process::Client(process) = event.process else {
            self.events += 1;
            return Ok(None);
        };
        if event.kind == Kind::Invoke {
            if let Some(&(_, first)) = self.open.get(&process) {
                return Err(HistoryError::DoubleInvoke { process: event.process, first, second: index }.into());
            }
            let object = self.object_of(event);
            self.open.insert(process, (object, index));
            self.events += 1;
            if self.violation.is_some() || self.objects[object].given_up.is_some() {
                return Ok(None);
            }
            self.objects[object].held.push(HeldOperation {
                process: event.process,
                f: event.f,
                key: event.key.clone(),
                input: event.value.clone(),
                output: None,
                kind: Kind::Invoke,
                invoked: index,
                completed: None,
                node: event.node,
            });
            return Ok(None);
        }
        let &(object, invoked) = self.open.get(&process).ok_or(HistoryError::NotInvoked { process: event.process, event: index })?;
        let object = &mut self.objects[object];
        let Some(at) = object.held.iter().position(|held| held.invoked == invoked) else {
            // The check of its object has stopped.
            self.open.remove(&process);
            self.events += 1;
            return Ok(None);
        };
        let held = &mut object.held[at];
        let output = (event.kind == Kind::Ok).then(|| event.value.clone());
        let completed = HeldOperation { kind: event.kind, output, completed: Some(index), ..held.clone() };
        if event.kind != Kind::Fail && !self.model.admits(&completed.operation()) {
            return Err(CheckError::UnknownOperation { event: invoked, f: completed.f });
        }
        *held = completed;
        self.open.remove(&process);
        self.events += 1;
        if self.violation.is_some() || object.given_up.is_some() {
            object.held.clear();
            return Ok(None);
        }
        let budget = Budget::new(self.memory, None);
        match object.complete(&self.model, at, EventIndex(self.events), &budget, &mut self.peak_bytes) {
            Outcome::Linearizable => {}
            Outcome::Exhausted { why, .. } => {
                (object.given_up, self.undecided) = (Some(why), Some(why.why()));
                object.held.clear();
            }
            Outcome::Broken(_) => {
                let key = if self.model.splits_by_key() { object.held[at].key.clone() } else { None };
                self.violation = Some(Violation { key, operation: invoked, completion: index });
            }
        }
        Ok(self.violation.clone().filter(|violation| violation.completion == index))
    }

    /// The verdict on the events so far.
    pub fn verdict(&self) -> Verdict {
        match (&self.violation, self.undecided) {
            (Some(_), _) => Verdict::Invalid,
            (None, Some(_)) => Verdict::Unknown,
            (None, None) => Verdict::Valid,
        }
    }

    /// Why the verdict is unknown, if it is.
    pub fn undecided(&self) -> Option<&'static str> {
        self.undecided.filter(|_| self.violation.is_none())
    }

    /// The first violation, if there was one.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The number of operations held: open and crashed ones, and those that completed after their object's oldest open invocation.
    pub fn held(&self) -> usize {
        self.objects.iter().map(|object| object.held.len()).sum()
    }

    /// The peak number of bytes that one search held, approximately.
    pub fn peak_bytes(&self) -> usize {
        self.peak_bytes
    }

    fn object_of(&mut self, event: &Event) -> usize {
        let key = event.key.as_ref().filter(|_| self.model.splits_by_key());
        let key = key.cloned();
        if let Some(&object) = self.known.get(&key) {
            return object;
        }
        let start = SavedConfiguration { state: self.model.initial(), done: Vec::new(), used: Vec::new() };
        let base = Base { at: EventIndex(0), saved: vec![start], assumes: Vec::new() };
        self.objects.push(Object { held: Vec::new(), bases: vec![base], given_up: None });
        self.known.insert(key, self.objects.len() - 1);
        self.objects.len() - 1
    }
}

impl<S: Clone> Object<S> {
    /// Checks the object after the operation at index `at` has completed, in the event before `now`.
    fn complete<M: Model<State = S>>(&mut self, model: &M, at: usize, now: EventIndex, budget: &Budget<'_>, peak: &mut usize) -> Outcome {
        let invoked = self.held[at].invoked;
        let was_crashed = self.held[at].kind == Kind::Info;
        let changes_nothing = model.observes(&self.held[at].operation());
        if was_crashed || (self.held[at].kind == Kind::Fail && changes_nothing) {
            // It counted as crashed already, or never constrained anything.
            self.bases.iter_mut().for_each(|base| base.assumes.retain(|assumed| *assumed != invoked));
            if !takes_part(model, &self.held[at].operation()) {
                self.held.remove(at);
            }
            self.forget();
            return Outcome::Linearizable;
        }
        self.bases.retain(|base| !base.assumes.contains(&invoked));
        let from = self.bases.len() - 1;
        let base = &self.bases[from];
        let since = self.held.iter().filter(|held| !held.returned_before(base.at)).map(HeldOperation::operation);
        let problem = Problem::new(model, since.filter(|operation| model.admits(operation)));
        let begun = problem.operations.partition_point(|operation| operation.invoked < base.at);
        let new_bases = self.new_bases(&problem, base.at, begun, now);
        let stops: Vec<usize> = new_bases.iter().map(|&(_, stop)| stop).collect();
        let resumed = resume_at_width(model, &problem, &base.saved, begun, &stops, budget);
        *peak = resumed.spent.peak_bytes.max(*peak);
        if matches!(resumed.outcome, Outcome::Linearizable) {
            for ((at, _), saved) in new_bases.into_iter().zip(resumed.saved) {
                let assumes = self.open_before(at).collect();
                self.bases.push(Base { at, saved, assumes });
            }
            self.forget();
        }
        resumed.outcome
    }

    /// Where to put new bases: before which events and moments. Each precedes the invocation of an open operation or the next event.
    fn new_bases(&self, problem: &Problem<'_>, after: EventIndex, begun: usize, now: EventIndex) -> Vec<(EventIndex, usize)> {
        let moment_of = |at: EventIndex| {
            let calls = problem.operations.partition_point(|operation| operation.invoked < at);
            calls
                + problem
                    .operations
                    .iter()
                    .filter(|operation| operation.kind == Kind::Ok && operation.completed.is_some_and(|end| end < at))
                    .count()
        };
        let mut new_bases: Vec<(EventIndex, usize)> = Vec::new();
        let mut last = begun;
        let open = self.held.iter().filter(|held| held.kind == Kind::Invoke).map(|held| held.invoked);
        for at in open.chain([now]).filter(|at| *at > after) {
            let moment = moment_of(at);
            let assumes_nothing = self.open_before(at).next().is_none();
            if assumes_nothing || moment >= last + SPACING {
                new_bases.push((at, moment));
                last = moment;
            }
        }
        new_bases
    }

    fn open_before(&self, at: EventIndex) -> impl Iterator<Item = EventIndex> + '_ {
        self.held.iter().filter(move |held| held.kind == Kind::Invoke && held.invoked < at).map(|held| held.invoked)
    }

    /// Drops everything before the last base that assumes nothing.
    fn forget(&mut self) {
        let first = self.bases.iter().rposition(|base| base.assumes.is_empty()).unwrap_or(0);
        self.bases.drain(..first);
        let at = self.bases[0].at;
        self.held.retain(|held| held.kind != Kind::Fail && !held.returned_before(at));
    }
}

fn resume_at_width<M: Model>(
    model: &M,
    problem: &Problem<'_>,
    from: &[SavedConfiguration<M::State>],
    begun: usize,
    stops: &[usize],
    budget: &Budget<'_>,
) -> Resumed<M::State> {
    match problem.concurrency() {
        open if open <= u64::WIDTH => resume::<M, u64>(model, problem, from, begun, stops, budget),
        open if open <= u128::WIDTH => resume::<M, u128>(model, problem, from, begun, stops, budget),
        open if open <= Widest::WIDTH => resume::<M, Widest>(model, problem, from, begun, stops, budget),
        _ => Resumed { outcome: Outcome::Exhausted { why: Exceeded::Concurrency, moments: 0 }, spent: Spent::default(), saved: Vec::new() },
    }
}
