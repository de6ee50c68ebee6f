//! The properties by which injections exclude each other.

use crate::fault::Injection;
use crate::schedule::line::Scheduled;
use crate::schedule::planned::Planned;

/// An injection that is, or may be, in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActiveFault {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    /// The names of which only one injection may be in force on a node.
    pub(crate) exclusive_names: Vec<&'static str>,
    pub(crate) group: Option<String>,
    /// The targets.
    pub(crate) nodes: Vec<usize>,
    /// The nodes on which scripts run for it: the targets, and those that drop their packets or watch them.
    pub(crate) reach: Vec<usize>,
    /// Whether the targets are down, or may be.
    pub(crate) takes_down: bool,
}

impl ActiveFault {
    /// Returns these properties of a planned injection; no targets when these depend on the primary.
    pub(crate) fn new(lines: &[Scheduled], planned: &Planned, id: u32, injection: &Injection) -> Option<ActiveFault> {
        let fault = planned.of(lines)?;
        Some(ActiveFault {
            id,
            name: fault.name(),
            exclusive_names: fault.exclusive_names(),
            group: lines.get(planned.line)?.group.clone(),
            nodes: injection.nodes.clone(),
            reach: injection.nodes.iter().chain(injection.grudge.keys()).copied().collect(),
            takes_down: fault.takes_down().is_some(),
        })
    }
}
