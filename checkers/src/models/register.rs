//! Registers, with and without compare-and-set.

use elenchus_core::{Access, Model, Operation, RegisterModel, Step, Value};

/// A register: `read → v`, `write v`.
#[derive(Clone, Debug, Default)]
pub struct Register {
    initial: Value,
}

impl Register {
    /// Creates a register with an initial value.
    pub fn new(initial: Value) -> Register {
        Register { initial }
    }
}

/// A register with compare-and-set: `read → v`, `write v`, `cas [old new]`. A cas with the result `false` found another value.
#[derive(Clone, Debug, Default)]
pub struct CasRegister {
    initial: Value,
}

impl CasRegister {
    /// Creates a register with an initial value.
    pub fn new(initial: Value) -> CasRegister {
        CasRegister { initial }
    }
}

impl RegisterModel for Register {
    fn initial_value(&self) -> Value {
        self.initial.clone()
    }

    fn access<'v>(&self, operation: &Operation<'v>) -> Option<Access<'v>> {
        match operation.f.as_str() {
            "read" => Some(Access::Read(operation.output)),
            "write" => Some(Access::Write(operation.input)),
            _ => None,
        }
    }
}

impl RegisterModel for CasRegister {
    fn initial_value(&self) -> Value {
        self.initial.clone()
    }

    fn access<'v>(&self, operation: &Operation<'v>) -> Option<Access<'v>> {
        match operation.f.as_str() {
            "read" => Some(Access::Read(operation.output)),
            "write" => Some(Access::Write(operation.input)),
            "cas" if !refused(operation) => operation.input.as_pair().map(|(old, new)| Access::Cas(old, new)),
            _ => None,
        }
    }
}

/// Whether the operation is a cas with the result that nothing was set.
fn refused(operation: &Operation<'_>) -> bool {
    operation.f == "cas" && operation.output == Some(&Value::Bool(false))
}

fn step(state: &Value, access: Access<'_>) -> Step<Value> {
    let put = |new: &Value| if new == state { Step::Same } else { Step::To(new.clone()) };
    match access {
        Access::Read(None) => Step::Same,
        Access::Read(Some(output)) if output == state => Step::Same,
        Access::Write(new) => put(new),
        Access::Cas(old, new) if old == state => put(new),
        Access::Read(_) | Access::Cas(..) => Step::Impossible,
    }
}

fn observes(access: Access<'_>) -> bool {
    match access {
        Access::Read(_) => true,
        Access::Write(_) => false,
        Access::Cas(old, new) => old == new,
    }
}

fn affected_values(access: Access<'_>) -> Option<Vec<Value>> {
    match access {
        Access::Read(output) => output.map(|output| vec![output.clone()]),
        Access::Write(new) => Some(vec![new.clone()]),
        Access::Cas(old, new) => Some(vec![old.clone(), new.clone()]),
    }
}

impl Model for Register {
    type State = Value;

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, operation: &Operation<'_>) -> Step<Value> {
        self.access(operation).map_or(Step::Impossible, |access| step(state, access))
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        self.access(operation).is_some()
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        self.access(operation).is_some_and(observes)
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        affected_values(self.access(operation)?)
    }

    fn as_register(&self) -> Option<&dyn RegisterModel> {
        Some(self)
    }
}

impl Model for CasRegister {
    type State = Value;

    fn initial(&self) -> Value {
        self.initial.clone()
    }

    fn step(&self, state: &Value, operation: &Operation<'_>) -> Step<Value> {
        match (self.access(operation), operation.input.as_pair()) {
            (Some(access), _) => step(state, access),
            (None, Some((old, _))) if refused(operation) && old != state => Step::Same,
            _ => Step::Impossible,
        }
    }

    fn admits(&self, operation: &Operation<'_>) -> bool {
        self.access(operation).is_some() || (refused(operation) && operation.input.as_pair().is_some())
    }

    fn observes(&self, operation: &Operation<'_>) -> bool {
        refused(operation) || self.access(operation).is_some_and(observes)
    }

    fn affected_values(&self, operation: &Operation<'_>) -> Option<Vec<Value>> {
        affected_values(self.access(operation)?)
    }

    fn as_register(&self) -> Option<&dyn RegisterModel> {
        Some(self)
    }
}
