//! Descriptions of transactions and their steps.

use elenchus_core::{Kind, Value};

use super::elements::NONE;
use super::transactions::{Act, Datatype, MicroOp, Transactions};

/// The longest list that is shown whole; the middle of longer lists is omitted.
const LONGEST_LIST: usize = 16;

impl Transactions {
    /// The name of a transaction: T and its number in order of invocation.
    pub(crate) fn name(&self, transaction: u32) -> String {
        if transaction == NONE { "no transaction".to_owned() } else { format!("T{transaction}") }
    }

    /// A step in the past tense without its subject: `appended 3 to x`, `read x = [1 2]`.
    pub(crate) fn say(&self, step: &MicroOp) -> String {
        let key = self.key(step.key);
        match step.act {
            Act::Write(element) => match self.datatype() {
                Datatype::ListAppend => format!("appended {} to {key}", self.value(element)),
                Datatype::RwRegister => format!("wrote {} to {key}", self.value(element)),
                Datatype::SetAdd | Datatype::CounterInc => format!("added {} to {key}", self.value(element)),
            },
            Act::Unknown => format!("read {key} with an unknown result"),
            _ => format!("read {key} = {}", self.read_value(step)),
        }
    }

    /// The result of a read; the middle of a long list is omitted.
    pub(crate) fn read_value(&self, step: &MicroOp) -> String {
        match step.act {
            Act::List(told) => {
                let list = self.lists.list(step.key, told);
                let say = |part: &[u32]| part.iter().map(|&element| self.value(element).to_string()).collect::<Vec<_>>().join(" ");
                match list.len() {
                    0 => "[]".to_owned(),
                    length if length <= LONGEST_LIST => format!("[{}]", say(list)),
                    length => format!("[{} … {}]", say(&list[..4]), say(&list[length - 8..])),
                }
            }
            Act::Register(element) => self.value(element).to_string(),
            Act::Write(element) => self.value(element).to_string(),
            Act::Sum(_) => self.sum(step).map_or(Value::Nil, Value::Int).to_string(),
            Act::Unknown => Value::Nil.to_string(),
        }
    }

    /// A step in the notation of histories: `append x 3`, `r x [1 2]`.
    pub(crate) fn step_words(&self, step: &MicroOp) -> String {
        let f = match (step.act, self.datatype()) {
            (Act::Write(_), Datatype::ListAppend) => "append",
            (Act::Write(_), Datatype::RwRegister) => "w",
            (Act::Write(_), Datatype::SetAdd) => "add",
            (Act::Write(_), Datatype::CounterInc) => "inc",
            _ => "r",
        };
        let value = if step.act == Act::Unknown { "?".to_owned() } else { self.read_value(step) };
        format!("{f} {} {value}", self.key(step.key))
    }

    /// The steps of a transaction in the notation of histories, with each predicate read before the items it found: `rp > 3: x y`.
    pub(crate) fn words(&self, transaction: u32) -> Vec<String> {
        let mut words: Vec<String> = self.steps(transaction).iter().map(|step| self.step_words(step)).collect();
        for scan in self.predicates.of(transaction).iter().rev() {
            let found: String = scan.found.iter().map(|&key| format!(" {}", self.key(key))).collect();
            let found = if found.is_empty() { " nothing" } else { &found };
            words.insert(scan.at as usize, format!("rp {}:{found}", self.predicates.all[scan.predicate as usize]));
        }
        words
    }

    /// A transaction in one line: `T3 (process 1, event 12, ok): append x 3, r y [1]`.
    pub(crate) fn introduce(&self, transaction: u32) -> String {
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
            self.words(transaction).join(", ")
        )
    }
}
