//! Session order and real-time order.

use elenchus_core::Kind;

use super::elements::NONE;
use super::graph::{REALTIME, SESSION, Sink, VIA};
use super::transactions::Transactions;

/// Returns which transactions are known to have happened: those that completed with `ok`, and crashed ones with a write that was read.
pub(crate) fn happened(transactions: &Transactions) -> Vec<bool> {
    (0..transactions.len() as u32)
        .map(|transaction| match transactions.kind(transaction) {
            Kind::Ok => true,
            Kind::Info => {
                let writes = transactions.writes(transaction);
                let mut own = writes.map(|(_, element)| element).filter(|&element| transactions.elements.writer(element) == transaction);
                own.any(|element| transactions.elements.is_observed(element) && !transactions.elements.is_repeated(element))
            }
            _ => false,
        })
        .collect()
}

/// Adds session order: an edge from each transaction to the next one of its process. Linear.
pub(crate) fn session_edges(transactions: &Transactions, happened: &[bool], sink: &mut Sink) {
    let mut last = vec![NONE; transactions.sessions()];
    for transaction in 0..transactions.len() as u32 {
        if !happened[transaction as usize] {
            continue;
        }
        let before = std::mem::replace(&mut last[transactions.session(transaction) as usize], transaction);
        if before != NONE {
            sink.edge(before, transaction, SESSION);
        }
    }
}

/// Adds real-time order: every transaction that completed reaches every transaction invoked afterwards, through a chain of auxiliary
/// nodes, one for each point at which invocations follow completions. Linear and exact.
pub(crate) fn realtime_edges(transactions: &Transactions, happened: &[bool], sink: &mut Sink) {
    let mut completions = transactions.completions().iter().copied().peekable();
    let (mut auxiliary, mut waiting) = (NONE, Vec::new());
    let begun = |transaction: &u32| happened[*transaction as usize] && transactions.has_begin(*transaction);
    for transaction in (0..transactions.len() as u32).filter(begun) {
        let invoked = Some(transactions.invoked(transaction));
        waiting.extend(std::iter::from_fn(|| completions.next_if(|&completed| transactions.completed(completed) < invoked)));
        if !waiting.is_empty() {
            let next = sink.auxiliary();
            if auxiliary != NONE {
                sink.edge(auxiliary, next, VIA);
            }
            waiting.drain(..).for_each(|completed| sink.edge(completed, next, REALTIME));
            auxiliary = next;
        }
        if auxiliary != NONE {
            sink.edge(auxiliary, transaction, VIA);
        }
    }
}
