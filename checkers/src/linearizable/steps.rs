//! What each class of operations does to each state, remembered.

use elenchus_core::{Growth, Model, Operation, Process, Step, Symbol, Value};
use rustc_hash::FxHashMap;

/// The number of an interned state. The initial one is 0.
pub(crate) type StateId = u32;

/// Operations that ask and were told the same.
pub(crate) type ClassId = u32;

/// No state: the step is impossible.
pub(crate) const IMPOSSIBLE: StateId = u32::MAX;

type ClassKey<'h> = (Symbol, &'h Value, Option<&'h Value>, Option<Process>);

/// A model's states as small integers, and its steps as a table that fills as it is asked.
pub(crate) struct Steps<'a, M: Model> {
    model: &'a M,
    states: Vec<M::State>,
    ids: FxHashMap<M::State, StateId>,
    table: FxHashMap<u64, StateId>,
    /// Which states may become what which observations were told.
    leads: FxHashMap<u64, bool>,
    /// By position of the operation.
    classes: Vec<ClassId>,
    /// By class: an operation of it.
    examples: Vec<Operation<'a>>,
    /// By class: whether it never changes a state.
    observes: Vec<bool>,
}

impl<'a, M: Model> Steps<'a, M> {
    pub(crate) fn new(model: &'a M, operations: &[Operation<'a>]) -> Steps<'a, M> {
        let mut known: FxHashMap<ClassKey<'a>, ClassId> = FxHashMap::default();
        let (mut classes, mut examples, mut observes) = (Vec::with_capacity(operations.len()), Vec::new(), Vec::new());
        for operation in operations {
            let who = model.minds_process().then_some(operation.process);
            let class = *known.entry((operation.f, operation.input, operation.output, who)).or_insert_with(|| {
                examples.push(*operation);
                observes.push(model.observes(operation));
                examples.len() as ClassId - 1
            });
            classes.push(class);
        }
        let initial = model.initial();
        let ids = FxHashMap::from_iter([(initial.clone(), 0)]);
        Steps { model, states: vec![initial], ids, table: FxHashMap::default(), leads: FxHashMap::default(), classes, examples, observes }
    }

    /// The class of the operation at a position.
    pub(crate) fn class(&self, position: u32) -> ClassId {
        self.classes[position as usize]
    }

    /// Whether operations of a class never change a state.
    pub(crate) fn observes(&self, class: ClassId) -> bool {
        self.observes[class as usize]
    }

    /// Where a class leads from a state, or [`IMPOSSIBLE`].
    pub(crate) fn next(&mut self, state: StateId, class: ClassId) -> StateId {
        let key = pair(state, class);
        if let Some(&next) = self.table.get(&key) {
            return next;
        }
        let next = match self.model.step(&self.states[state as usize], &self.examples[class as usize]) {
            Step::Same => state,
            Step::Impossible => IMPOSSIBLE,
            Step::To(next) => self.intern(next),
        };
        self.table.insert(key, next);
        next
    }

    /// Whether a state may be, or grow into, one in which an observation of this class fits.
    pub(crate) fn leads_to(&mut self, growth: &dyn Growth<M::State>, state: StateId, class: ClassId) -> bool {
        let (states, examples) = (&self.states, &self.examples);
        *self.leads.entry(pair(state, class)).or_insert_with(|| growth.leads_to(&states[state as usize], &examples[class as usize]))
    }

    /// The state with a number, in words.
    pub(crate) fn describe(&self, state: StateId) -> String {
        self.model.describe(&self.states[state as usize])
    }

    /// Roughly the bytes held. What a state owns beyond its own size is guessed at 64 bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.states.len() * (2 * size_of::<M::State>() + 64) + (self.table.len() + self.leads.len()) * 24
    }

    fn intern(&mut self, state: M::State) -> StateId {
        if let Some(&id) = self.ids.get(&state) {
            return id;
        }
        let id = self.states.len() as StateId;
        self.states.push(state.clone());
        self.ids.insert(state, id);
        id
    }
}

fn pair(state: StateId, class: ClassId) -> u64 {
    u64::from(state) << 32 | u64::from(class)
}
