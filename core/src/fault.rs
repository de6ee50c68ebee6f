//! The nemesis' events in the history.
//!
//! Each injection and each heal is an operation of [`Process::Nemesis`]: `f` is the fault's name and the value is a [`FaultEvent`]. The invocation
//! is recorded before the action; the completion is `ok` if the effect was verified, `info` if the action was done but could not be verified, `fail` if
//! it was not done.

use crate::{Event, History, Kind, Nanos, Process, Symbol, Value};

/// Injection or heal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPhase {
    /// The fault is injected.
    Inject,
    /// The fault is healed.
    Heal,
}

/// The value of a nemesis event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// The number of the injection within the run; a heal has the number of the injection that it heals.
    pub id: u32,
    /// Injection or heal.
    pub phase: FaultPhase,
    /// The names of the target nodes.
    pub nodes: Vec<String>,
    /// A description of the injection.
    pub description: String,
}

impl FaultEvent {
    /// Encodes it as the value of an event.
    pub fn to_value(&self) -> Value {
        let phase = match self.phase {
            FaultPhase::Inject => "inject",
            FaultPhase::Heal => "heal",
        };
        let nodes = self.nodes.iter().map(|node| Value::from(node.as_str())).collect();
        Value::Map(Box::new([
            ("id".into(), Value::Int(i64::from(self.id))),
            ("phase".into(), phase.into()),
            ("nodes".into(), Value::List(nodes)),
            ("what".into(), self.description.as_str().into()),
        ]))
    }

    /// Decodes it from the value of an event; `None` if that is not a nemesis event.
    pub fn from_value(value: &Value) -> Option<FaultEvent> {
        let phase = match value.get("phase")?.as_text()? {
            "inject" => FaultPhase::Inject,
            "heal" => FaultPhase::Heal,
            _ => return None,
        };
        Some(FaultEvent {
            id: u32::try_from(value.get("id")?.as_int()?).ok()?,
            phase,
            nodes: value.get("nodes")?.as_list()?.iter().filter_map(|node| node.as_text().map(str::to_owned)).collect(),
            description: value.get("what")?.as_text()?.to_owned(),
        })
    }
}

/// One fault, from the start of its injection to the end of its heal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultWindow {
    /// The number of the injection.
    pub id: u32,
    /// The fault's name.
    pub fault: Symbol,
    /// The names of the target nodes.
    pub nodes: Vec<String>,
    /// A description of the injection.
    pub description: String,
    /// The start of the injection.
    pub from: Nanos,
    /// The end of the heal; `None` if the fault was still in force at the end of the history.
    pub to: Option<Nanos>,
    /// The outcome of the injection: `Ok` verified, `Info` unverified, `Fail` not injected; `None` if it never completed.
    pub injected: Option<Kind>,
    /// The outcome of the heal, likewise.
    pub healed: Option<Kind>,
    /// The last error: why it was not injected or healed, or could not be verified.
    pub problem: Option<Box<str>>,
}

impl History {
    /// Returns the faults of the run, in order of injection. Failed injections are included, with `injected == Some(Kind::Fail)`.
    pub fn fault_windows(&self) -> Vec<FaultWindow> {
        let mut windows: Vec<FaultWindow> = Vec::new();
        for event in self.events.iter().filter(|event| event.process == Process::Nemesis) {
            if let Some(fault) = FaultEvent::from_value(&event.value) {
                record(&mut windows, event, fault);
            }
        }
        windows
    }
}

fn record(windows: &mut Vec<FaultWindow>, event: &Event, fault: FaultEvent) {
    let mut known = windows.iter_mut().rev().find(|window| window.id == fault.id);
    if let (Some(window), Some(error)) = (&mut known, &event.error) {
        window.problem = Some(error.clone());
    }
    match (fault.phase, event.kind, known) {
        (FaultPhase::Inject, Kind::Invoke, None) => windows.push(FaultWindow {
            id: fault.id,
            fault: event.f,
            nodes: fault.nodes,
            description: fault.description,
            from: event.time,
            to: None,
            injected: None,
            healed: None,
            problem: None,
        }),
        (FaultPhase::Inject, kind, Some(window)) => {
            window.injected = Some(kind);
            window.nodes = fault.nodes;
            window.description = fault.description;
            if kind == Kind::Fail {
                window.to = Some(event.time);
            }
        }
        (FaultPhase::Heal, Kind::Ok | Kind::Info, Some(window)) => {
            window.healed = Some(event.kind);
            window.to = Some(event.time);
        }
        (FaultPhase::Heal, Kind::Fail, Some(window)) => window.healed = Some(Kind::Fail),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_extracted_from_events() {
        let fault = |phase| FaultEvent { id: 1, phase, nodes: vec!["n1".into()], description: "n1 alone".into() };
        let event = |time, kind, phase| Event {
            time: Nanos(time),
            process: Process::Nemesis,
            kind,
            f: Symbol::of("partition"),
            key: None,
            value: fault(phase).to_value(),
            error: None,
            node: None,
        };
        let history = History::new(vec![
            event(10, Kind::Invoke, FaultPhase::Inject),
            event(12, Kind::Ok, FaultPhase::Inject),
            event(20, Kind::Invoke, FaultPhase::Heal),
            event(22, Kind::Ok, FaultPhase::Heal),
        ]);
        let windows = history.fault_windows();
        assert_eq!(windows.len(), 1);
        assert_eq!((windows[0].from, windows[0].to), (Nanos(10), Some(Nanos(22))));
        assert_eq!((windows[0].injected, windows[0].healed, &windows[0].problem), (Some(Kind::Ok), Some(Kind::Ok), &None));
        let refused = Event { error: Some("no iptables".into()), ..event(12, Kind::Fail, FaultPhase::Inject) };
        let failed = History::new(vec![event(10, Kind::Invoke, FaultPhase::Inject), refused]).fault_windows();
        assert_eq!((failed[0].injected, failed[0].problem.as_deref()), (Some(Kind::Fail), Some("no iptables")));
    }
}
