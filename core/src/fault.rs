//! How the nemesis testifies, and how its testimony is read back.
//!
//! Each injection and each heal is an operation of [`Process::Nemesis`]: `f` is the fault's name and the value is a [`FaultEvent`]. The invocation says that it is about
//! to happen; the completion is `ok` when the effect was verified, `info` when it was done but could not be verified, `fail` when it was not done.

use crate::{Event, History, Kind, Nanos, Process, Symbol, Value};

/// Whether a fault begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPhase {
    /// It is being injected.
    Inject,
    /// It is being healed.
    Heal,
}

/// What an event of the nemesis says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultEvent {
    /// Numbers the injections of a run; a heal bears the number of what it heals.
    pub id: u32,
    /// Begin or end.
    pub phase: FaultPhase,
    /// The nodes it is done to, by name.
    pub nodes: Vec<String>,
    /// What exactly, in a sentence.
    pub what: String,
}

impl FaultEvent {
    /// As the value of an event.
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
            ("what".into(), self.what.as_str().into()),
        ]))
    }

    /// From the value of an event, if it is one of the nemesis'.
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
            what: value.get("what")?.as_text()?.to_owned(),
        })
    }
}

/// One fault from the moment its injection began to the moment its heal was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultWindow {
    /// The injection's number.
    pub id: u32,
    /// The fault's name.
    pub fault: Symbol,
    /// The nodes it was done to.
    pub nodes: Vec<String>,
    /// What exactly, in a sentence.
    pub what: String,
    /// When the injection began.
    pub from: Nanos,
    /// When the heal was done; none when it was still in force at the end of the history.
    pub to: Option<Nanos>,
    /// How the injection ended: `Ok` verified, `Info` unverified, `Fail` not injected; none when it never ended.
    pub injected: Option<Kind>,
    /// How the heal ended, likewise.
    pub healed: Option<Kind>,
    /// Why it was not injected or healed, or could not be verified: the last that was said of it.
    pub doubt: Option<Box<str>>,
}

impl History {
    /// The faults of the run, in order of injection. Injections that failed are included, with `injected == Some(Kind::Fail)`.
    pub fn fault_windows(&self) -> Vec<FaultWindow> {
        let mut windows: Vec<FaultWindow> = Vec::new();
        for event in self.events.iter().filter(|event| event.process == Process::Nemesis) {
            if let Some(said) = FaultEvent::from_value(&event.value) {
                note(&mut windows, event, said);
            }
        }
        windows
    }
}

fn note(windows: &mut Vec<FaultWindow>, event: &Event, said: FaultEvent) {
    let mut known = windows.iter_mut().rev().find(|window| window.id == said.id);
    if let (Some(window), Some(error)) = (&mut known, &event.error) {
        window.doubt = Some(error.clone());
    }
    match (said.phase, event.kind, known) {
        (FaultPhase::Inject, Kind::Invoke, None) => windows.push(FaultWindow {
            id: said.id,
            fault: event.f,
            nodes: said.nodes,
            what: said.what,
            from: event.time,
            to: None,
            injected: None,
            healed: None,
            doubt: None,
        }),
        (FaultPhase::Inject, kind, Some(window)) => {
            window.injected = Some(kind);
            window.nodes = said.nodes;
            window.what = said.what;
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
    fn windows_are_read_back() {
        let said = |phase| FaultEvent { id: 1, phase, nodes: vec!["n1".into()], what: "n1 alone".into() };
        let event = |time, kind, phase| Event {
            time: Nanos(time),
            process: Process::Nemesis,
            kind,
            f: Symbol::of("partition"),
            key: None,
            value: said(phase).to_value(),
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
        assert_eq!((windows[0].injected, windows[0].healed, &windows[0].doubt), (Some(Kind::Ok), Some(Kind::Ok), &None));
        let refused = Event { error: Some("no iptables".into()), ..event(12, Kind::Fail, FaultPhase::Inject) };
        let failed = History::new(vec![event(10, Kind::Invoke, FaultPhase::Inject), refused]).fault_windows();
        assert_eq!((failed[0].injected, failed[0].doubt.as_deref()), (Some(Kind::Fail), Some("no iptables")));
    }
}
