//! Inference of version orders, by data type.

use super::counts::{Counts, Link, LinkKind};
use super::elements::{Element, NONE};
use super::graph::Sink;
use super::level::Level;
use super::transactions::{Action, MicroOp, Transactions};

/// The version order of each key, as far as the reads determine it. The default answer to a query about the order of two versions is
/// "unknown".
pub(crate) trait Inference: Send + Sync {
    /// The transactions.
    fn transactions(&self) -> &Transactions;

    /// Adds every ww, wr and rw edge that the data implies. Linear in the history.
    fn emit(&self, sink: &mut Sink);

    /// Returns whether an element is certainly later than the version that a read of its key saw.
    fn is_later(&self, read: &MicroOp, element: Element) -> bool;

    /// The transactions that must follow every read of a key's initial state. May contain duplicates.
    fn first_writers(&self, _key: u32) -> &[u32] {
        &[]
    }

    /// The version that precedes `element`, if `writer` wrote it.
    fn follows(&self, _key: u32, _element: Element, _writer: u32) -> Option<Element> {
        None
    }

    /// Visits every committed writer of a version that is certainly later than the one that a read saw. May contain duplicates.
    fn later_writers(&self, read: &MicroOp, visit: &mut dyn FnMut(u32));

    /// The writer of the version that certainly precedes an element directly.
    fn before(&self, _key: u32, _element: Element) -> Option<u32> {
        None
    }

    /// A transaction other than the reader whose version is certainly later than the one that was read and earlier than the reader's own.
    fn overtaken(&self, _read: &MicroOp, _own: Element, _reader: u32) -> Option<u32> {
        None
    }

    /// Returns whether the version order is known well enough that a level which is not refuted is proved.
    fn decides(&self, level: Level) -> bool;

    /// Finds phenomena of the version orders themselves.
    fn check_versions(&self, counts: &mut Counts);

    /// The steps at both ends of an edge that prove it.
    fn evidence(&self, link: &Link) -> Option<(MicroOp, MicroOp)> {
        let t = self.transactions();
        let writes = |transaction| t.steps(transaction).iter().filter_map(|step| as_write(step).map(|element| (step, element)));
        let reads = |transaction| t.steps(transaction).iter().filter(|step| t.version(step).is_some());
        match link.kind {
            LinkKind::Wr => reads(link.to).find_map(|read| {
                let version = t.version(read).filter(|&version| version != NONE)?;
                (t.elements.writer(version) == link.from).then_some((MicroOp { key: read.key, action: Action::Write(version) }, *read))
            }),
            LinkKind::Ww => writes(link.to).find_map(|(step, element)| {
                let before = self.follows(step.key, element, link.from)?;
                Some((MicroOp { key: step.key, action: Action::Write(before) }, *step))
            }),
            LinkKind::Rw => {
                let pairs = reads(link.from).flat_map(|read| {
                    writes(link.to)
                        .filter(move |(write, element)| write.key == read.key && self.is_later(read, *element))
                        .map(move |write| (read, write))
                });
                pairs
                    .min_by_key(|(_, (_, element))| t.lists.place(*element).unwrap_or(usize::MAX))
                    .map(|(read, (write, _))| (*read, *write))
            }
            LinkKind::PredicateRw | LinkKind::Process | LinkKind::Realtime => None,
        }
    }

    /// The evidence for an edge as a sentence.
    fn data_sentence(&self, link: &Link) -> Option<String> {
        let t = self.transactions();
        let (from, to) = (t.name(link.from), t.name(link.to));
        match (link.kind, self.evidence(link)?) {
            (LinkKind::Ww, (before, after)) => {
                Some(format!("{from} {}, and then {to} {}", t.describe_step(&before), t.describe_step(&after)))
            }
            (LinkKind::Wr, (write, read)) => {
                Some(format!("{from} {}, {to} {}: {to} saw {from}", t.describe_step(&write), t.describe_step(&read)))
            }
            (LinkKind::Rw, (read, write)) => {
                Some(format!("{from} {}, {to} {}: {from} did not see {to}", t.describe_step(&read), t.describe_step(&write)))
            }
            _ => None,
        }
    }

    /// An edge as a sentence.
    fn sentence(&self, link: &Link) -> String {
        let t = self.transactions();
        let (from, to) = (t.name(link.from), t.name(link.to));
        match link.kind {
            LinkKind::Process => format!("process {} ran {from} before {to}", t.process(link.from)),
            LinkKind::Realtime => {
                let completed = t.completed(link.from).map_or(String::new(), |at| format!(" (event {at})"));
                format!("{from} completed{completed} before {to} was invoked (event {})", t.invoked(link.to))
            }
            kind => self.data_sentence(link).unwrap_or_else(|| format!("{from} must precede {to} ({})", kind.name())),
        }
    }
}

/// The element that a step wrote.
pub(crate) fn as_write(step: &MicroOp) -> Option<Element> {
    match step.action {
        Action::Write(element) => Some(element),
        _ => None,
    }
}
