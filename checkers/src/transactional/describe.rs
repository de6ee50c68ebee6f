//! Descriptions of transactions and their steps.

use elenchus_core::{Kind, Value};

use super::datatype::Datatype;
use super::elements::NONE;
use super::transactions::{Action, MicroOp, Transactions};

/// The longest list that is shown whole; the middle of longer lists is omitted.
const LONGEST_LIST: usize = 16;

impl Transactions {
    /// The name of a transaction: T and its number in order of invocation.
    pub(crate) fn name(&self, transaction: u32) -> String {
        if transaction == NONE { "no transaction".to_owned() } else { format!("T{transaction}") }
    }

    /// A step in the past tense without its subject: `appended 3 to x`, `read x = [1 2]`.
    pub(crate) fn describe_step(&self, step: &MicroOp) -> String {
        let key = self.key(step.key);
        match step.action {
            Action::Write(element) => match self.datatype() {
                Datatype::ListAppend => format!("appended {} to {key}", self.value(element)),
                Datatype::RwRegister => format!("wrote {} to {key}", self.value(element)),
                Datatype::SetAdd | Datatype::CounterInc => format!("added {} to {key}", self.value(element)),
            },
            Action::Unknown => format!("read {key} with an unknown result"),
            _ => format!("read {key} = {}", self.read_value(step)),
        }
    }

    /// The result of a read; the middle of a long list is omitted.
    pub(crate) fn read_value(&self, step: &MicroOp) -> String {
        match step.action {
            Action::List(observed) => {
                let list = self.lists.list(step.key, observed);
                let join = |part: &[u32]| part.iter().map(|&element| self.value(element).to_string()).collect::<Vec<_>>().join(" ");
                match list.len() {
                    0 => "[]".to_owned(),
                    length if length <= LONGEST_LIST => format!("[{}]", join(list)),
                    length => format!("[{} … {}]", join(&list[..4]), join(&list[length - 8..])),
                }
            }
            Action::Register(element) => self.value(element).to_string(),
            Action::Write(element) => self.value(element).to_string(),
            Action::Sum(_) => self.sum(step).map_or(Value::Nil, Value::Int).to_string(),
            Action::Unknown => Value::Nil.to_string(),
        }
    }

    /// A step in the notation of histories: `append x 3`, `r x [1 2]`.
    pub(crate) fn notation(&self, step: &MicroOp) -> String {
        let f = match (step.action, self.datatype()) {
            (Action::Write(_), Datatype::ListAppend) => "append",
            (Action::Write(_), Datatype::RwRegister) => "w",
            (Action::Write(_), Datatype::SetAdd) => "add",
            (Action::Write(_), Datatype::CounterInc) => "inc",
            _ => "r",
        };
        let value = if step.action == Action::Unknown { "?".to_owned() } else { self.read_value(step) };
        format!("{f} {} {value}", self.key(step.key))
    }

    /// The steps of a transaction in the notation of histories, with each predicate read before the items it found: `rp > 3: x y`.
    pub(crate) fn step_notations(&self, transaction: u32) -> Vec<String> {
        let mut steps: Vec<String> = self.steps(transaction).iter().map(|step| self.notation(step)).collect();
        for scan in self.predicates.of(transaction).iter().rev() {
            let found: String = scan.found.iter().map(|&key| format!(" {}", self.key(key))).collect();
            let found = if found.is_empty() { " nothing" } else { &found };
            steps.insert(scan.at as usize, format!("rp {}:{found}", self.predicates.all[scan.predicate as usize]));
        }
        steps
    }

    /// A transaction in one line: `T3 (process 1, event 12, ok): append x 3, r y [1]`.
    pub(crate) fn describe(&self, transaction: u32) -> String {
        let kind = match self.kind(transaction) {
            Kind::Ok => "ok",
            Kind::Fail => "failed",
            _ => "crashed",
        };
        format!(
            "{} (process {}, event {}, {kind}): {}",
            self.name(transaction),
            self.process(transaction),
            self.invoked(transaction),
            self.step_notations(transaction).join(", ")
        )
    }
}
