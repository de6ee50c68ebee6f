//! Queues and stacks.

use std::collections::VecDeque;

use elenchus_core::Value;

use super::{NEVER_WRITTEN, Object, Reply, Request, RequestContext};
use crate::simulate::recipe::Recipe;
use crate::simulate::table::{Store, Workload};

/// `enqueue v` and `dequeue → v`, `push v` and `pop → v`, or `insert v` and `delete-min → v`; nil means that it was empty.
#[derive(Clone, Debug)]
pub(in crate::simulate) struct Container {
    items: VecDeque<i64>,
    workload: Workload,
    taken: u64,
}

/// The names of the operations that insert and remove.
fn operation_names(workload: Workload) -> (&'static str, &'static str) {
    match workload {
        Workload::Stack => ("push", "pop"),
        Workload::PriorityQueue => ("insert", "delete-min"),
        _ => ("enqueue", "dequeue"),
    }
}

impl Container {
    /// The index of the item that is removed next, or of the one after it.
    fn next(&self, second: bool) -> usize {
        let last = self.items.len().saturating_sub(1);
        match self.workload {
            Workload::Stack => last.saturating_sub(usize::from(second)),
            // Any index is correct, but it must depend only on the state: multiply by a constant to spread it.
            Workload::UnorderedQueue => (self.taken.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as usize % self.items.len().max(1),
            _ => usize::from(second).min(last),
        }
    }

    fn take(&mut self, at: usize) -> Reply {
        self.taken += 1;
        Reply::Value(self.items.remove(at).map_or(Value::Nil, Value::Int))
    }
}

impl Object for Container {
    fn new(recipe: &Recipe) -> Container {
        Container { items: VecDeque::new(), workload: recipe.workload, taken: 0 }
    }

    fn next_request(context: &mut RequestContext<'_>) -> Request {
        let (put, take) = operation_names(context.recipe.workload);
        if !context.wants_insert() {
            return Request::without_argument(take);
        }
        let value = context.new_value();
        // Ascending values would make a priority queue behave like a FIFO queue, so each run of 64 is permuted by bit reversal.
        let is_shuffled = context.recipe.workload == Workload::PriorityQueue && context.recipe.values.is_none();
        Request::new(put, if is_shuffled { value & !63 | i64::from((value as u8 & 63).reverse_bits() >> 2) } else { value })
    }

    fn apply(&mut self, _: u32, request: &Request) -> Reply {
        let (put, _) = operation_names(self.workload);
        if request.f != put {
            return self.take(self.next(false));
        }
        let value = request.value.as_int().unwrap_or_default();
        let at = match self.workload {
            Workload::PriorityQueue => self.items.partition_point(|&other| other <= value),
            _ => self.items.len(),
        };
        self.items.insert(at, value);
        Reply::Done
    }

    fn apply_defect(&mut self, store: Store, _: u32, request: &Request) -> Option<Reply> {
        let (put, _) = operation_names(self.workload);
        match store {
            _ if request.f == put || self.items.is_empty() => None,
            Store::Duplicated => Some(Reply::Value(self.items[self.next(false)].into())),
            Store::Reordered if self.items.len() > 1 => Some(self.take(self.next(true))),
            Store::Invented => Some(Reply::Value(NEVER_WRITTEN.into())),
            _ => None,
        }
    }
}
