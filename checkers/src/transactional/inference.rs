//! What every kind of data must tell: which version is before which.

use super::elements::{Element, NONE};
use super::graph::Sink;
use super::level::Level;
use super::tally::{Link, LinkKind, Tally};
use super::transactions::{Act, MicroOp, Transactions};

/// An order of the versions of each key, as far as it follows from what was read. What asks for the order of two versions has no answer unless a
/// kind of data gives one.
pub(crate) trait Inference: Send + Sync {
    /// The transactions.
    fn transactions(&self) -> &Transactions;

    /// Says every edge that data implies: ww, wr and rw. Linear in the history.
    fn emit(&self, sink: &mut Sink);

    /// Whether an element is certainly a version later than the one that a read of its key saw.
    fn is_later(&self, read: &MicroOp, element: Element) -> bool;

    /// The transactions that all who saw the initial state of a key come before, whatever else they saw. Some may come twice.
    fn first_writers(&self, _key: u32) -> &[u32] {
        &[]
    }

    /// The version that a write comes next to: the step of `writer` whose version this element follows, if it is by that transaction.
    fn follows(&self, _key: u32, _element: Element, _writer: u32) -> Option<Element> {
        None
    }

    /// Says every committed writer of a version that is certainly later than the one that a read saw. Some may come twice.
    fn later_writers(&self, read: &MicroOp, say: &mut dyn FnMut(u32));

    /// The transaction of the version that is certainly right before an element.
    fn before(&self, _key: u32, _element: Element) -> Option<u32> {
        None
    }

    /// A transaction, other than the reader, whose version is certainly later than the one that was read and earlier than the reader's own.
    fn overtaken(&self, _read: &MicroOp, _own: Element, _reader: u32) -> Option<u32> {
        None
    }

    /// Whether enough is known of the versions that a level which is not refuted is proved.
    fn decides(&self, level: Level) -> bool;

    /// The phenomena of the versions themselves.
    fn judge_versions(&self, tally: &mut Tally);

    /// What makes an edge: the steps at both ends.
    fn evidence(&self, link: &Link) -> Option<(MicroOp, MicroOp)> {
        let t = self.transactions();
        let writes = |transaction| t.steps(transaction).iter().filter_map(|step| as_write(step).map(|element| (step, element)));
        let reads = |transaction| t.steps(transaction).iter().filter(|step| t.version(step).is_some());
        match link.kind {
            LinkKind::Wr => reads(link.to).find_map(|read| {
                let version = t.version(read).filter(|&version| version != NONE)?;
                (t.elements.writer(version) == link.from).then_some((MicroOp { key: read.key, act: Act::Write(version) }, *read))
            }),
            LinkKind::Ww => writes(link.to).find_map(|(step, element)| {
                let before = self.follows(step.key, element, link.from)?;
                Some((MicroOp { key: step.key, act: Act::Write(before) }, *step))
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

    /// What data says of an edge, in a sentence.
    fn told(&self, link: &Link) -> Option<String> {
        let t = self.transactions();
        let (from, to) = (t.name(link.from), t.name(link.to));
        match (link.kind, self.evidence(link)?) {
            (LinkKind::Ww, (before, after)) => Some(format!("{from} {}, and {to} {} after that", t.say(&before), t.say(&after))),
            (LinkKind::Wr, (write, read)) => Some(format!("{from} {}, {to} {}: {to} saw {from}", t.say(&write), t.say(&read))),
            (LinkKind::Rw, (read, write)) => Some(format!("{from} {}, {to} {}: {from} did not see {to}", t.say(&read), t.say(&write))),
            _ => None,
        }
    }

    /// An edge in a sentence.
    fn sentence(&self, link: &Link) -> String {
        let t = self.transactions();
        let (from, to) = (t.name(link.from), t.name(link.to));
        match link.kind {
            LinkKind::Process => format!("process {} ran {from} before {to}", t.process(link.from)),
            LinkKind::Realtime => {
                let completed = t.completed(link.from).map_or(String::new(), |at| format!(" (event {at})"));
                format!("{from} had completed{completed} before {to} was invoked (event {})", t.invoked(link.to))
            }
            kind => self.told(link).unwrap_or_else(|| format!("{from} must stand before {to} ({})", kind.name())),
        }
    }
}

/// The element that a step wrote.
pub(crate) fn as_write(step: &MicroOp) -> Option<Element> {
    match step.act {
        Act::Write(element) => Some(element),
        _ => None,
    }
}
