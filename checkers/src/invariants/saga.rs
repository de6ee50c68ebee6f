//! Sagas: each one ends with all its steps done, or with all done steps compensated.
//!
//! A saga is a sequence of steps on several services, each with a compensation. The final read returns the effects in the order in which the
//! services recorded them. Each step takes effect at most once, each compensation at most once and only after its step, and at the end either all
//! steps are in effect or none is, as reported to the client. A failed saga must leave no step in effect. A saga that crashed, or was still running at
//! the final read, may be incomplete; that proves nothing unless the effects are known to be settled.
//!
//! Option: `settled`, whether the final read was made after every saga had ended or been recovered (false).

use elenchus_core::{EventIndex, Kind, Operation, Value};
use rustc_hash::FxHashMap;

use super::real_time::succeeded;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for sagas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Saga {
    /// Whether the final read was made after every saga had ended or been recovered.
    pub settled: bool,
}

const DONE: &str = "done";
const COMPENSATED: &str = "compensated";

/// The effects of one step of a saga.
#[derive(Clone, Copy, Default)]
struct Effects {
    done: u32,
    compensated: u32,
    /// Whether it was compensated before it was done.
    is_early: bool,
}

/// One saga with its steps by name.
struct Steps<'a, 'h> {
    operation: &'a Operation<'h>,
    effects: Vec<(&'h Value, Effects)>,
}

impl Invariant for Saga {
    const DESCRIPTION: Description = Description {
        name: "saga",
        about: "whether every saga is completed or fully compensated, each step at most once",
        proves: "every saga was completed or fully compensated",
        source: "Garcia-Molina and Salem, Sagas (SIGMOD 1987)",
        vocabulary: &[
            Word {
                f: "saga",
                input: Shape::Fields(&[("id", Shape::Some("id")), ("steps", Shape::List(&Shape::Some("step")))]),
                output: Shape::Text(&[DONE, COMPENSATED]),
            },
            Word {
                f: "read",
                input: Shape::Any,
                output: Shape::List(&Shape::Tuple(&[Shape::Some("id"), Shape::Some("step"), Shape::Text(&["do", "undo"])])),
            },
        ],
        anomalies: &[
            ("half-done", "a saga ended with some of its steps in effect and others not"),
            ("repeated-step", "a step took effect more than once"),
            ("repeated-compensation", "a step was compensated more than once"),
            ("early-compensation", "a step was compensated before it took effect"),
            ("wrong-outcome", "a saga's outcome differs from what was reported to the client"),
            ("unexpected-effect", "an effect does not belong to a step of any saga (phantom)"),
        ],
        options: &[
            OptionEntry::flag("settled", "false").about("whether the final read was made after every saga had ended or been recovered")
        ],
        splits_by_key: false,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Saga, BuildError> {
        Ok(Saga { settled: options.flag("settled")?.unwrap_or_default() })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let operations = &part.operations;
        let Some(read) = succeeded(operations, "read").max_by_key(|read| read.completed) else {
            report.doubt("the effects were never read");
            return;
        };
        let ended = read.completed.unwrap_or(EventIndex(u32::MAX));
        let mut sagas: Vec<Steps<'_, '_>> = Vec::new();
        let mut by_id: FxHashMap<&Value, usize> = FxHashMap::default();
        for saga in operations.iter().filter(|it| it.f == "saga" && it.invoked < ended) {
            let (Some(id), Some(steps)) = (saga.input.get("id"), saga.input.get("steps").and_then(Value::as_list)) else {
                continue;
            };
            if by_id.insert(id, sagas.len()).is_some() {
                report.doubt(format!("saga {} was invoked more than once, so its effects are ambiguous; use unique ids", short(id)));
                return;
            }
            sagas.push(Steps { operation: saga, effects: steps.iter().map(|step| (step, Effects::default())).collect() });
        }
        for entry in read.output.and_then(|output| output.as_list()).unwrap_or_default() {
            let Some([id, step, what]) = entry.as_list() else {
                continue;
            };
            let saga = by_id.get(id).map(|&at| &mut sagas[at]);
            let effects = saga.and_then(|saga| saga.effects.iter_mut().find(|(known, _)| *known == step));
            let Some((_, effects)) = effects else {
                report.found("unexpected-effect", || {
                    Evidence::new(format!("The effect {} does not belong to a step of any saga invoked so far.", short(entry)), [read])
                });
                continue;
            };
            if what.as_text() == Some("do") {
                effects.done += 1;
            } else {
                effects.is_early |= effects.compensated >= effects.done;
                effects.compensated += 1;
            }
        }
        let mut halfway = 0;
        let mut outcomes = [0; 2];
        for saga in &sagas {
            halfway += u64::from(self.ends(saga, read, report));
            if let Some(reported) = saga.operation.output.and_then(Value::as_text) {
                outcomes[usize::from(reported == COMPENSATED)] += 1;
            }
        }
        if halfway > 0 {
            report.doubt(format!("{halfway} sagas that crashed or were still running at the final read are incomplete"));
        }
        report.count("sagas", sagas.len() as u64);
        report.count("told_done", outcomes[0]);
        report.count("told_compensated", outcomes[1]);
        report.count("halfway", halfway);
    }
}

impl Saga {
    /// Checks the outcome of a saga. Returns whether it is incomplete and may still be running.
    fn ends(&self, saga: &Steps<'_, '_>, read: &Operation<'_>, report: &mut Report) -> bool {
        let Steps { operation, effects } = saga;
        let id = || short(operation.input.get("id").unwrap_or(&Value::Nil));
        let proof = [*operation, read];
        for (step, effect) in effects {
            let broken = [
                ("repeated-step", effect.done > 1, "took effect more than once"),
                ("repeated-compensation", effect.compensated > 1, "was compensated more than once"),
                ("early-compensation", effect.is_early, "was compensated before it took effect"),
            ];
            for (name, _, what) in broken.into_iter().filter(|(_, broken, _)| *broken) {
                report.found(name, || Evidence::new(format!("Step {} of saga {} {what}.", short(step), id()), proof));
            }
        }
        let in_effect = effects.iter().filter(|(_, effect)| effect.done > effect.compensated).count();
        let is_half = in_effect > 0 && in_effect < effects.len();
        let has_ended = operation.kind != Kind::Info && operation.completed.is_some_and(|completed| completed < read.invoked);
        if is_half {
            if has_ended || self.settled {
                report.found("half-done", || {
                    let stands = effects.iter().filter(|(_, effect)| effect.done > effect.compensated).map(|(step, _)| short(step));
                    let stands = stands.collect::<Vec<_>>().join(", ");
                    Evidence::new(format!("Saga {} ended with {in_effect} of {} steps in effect: {stands}.", id(), effects.len()), proof)
                });
                return false;
            }
            return true;
        }
        let should_stand = match (operation.kind, operation.output.and_then(Value::as_text)) {
            (Kind::Ok, Some(DONE)) => Some(true),
            (Kind::Ok, _) | (Kind::Fail, _) => Some(false),
            _ => None,
        };
        let stands = in_effect > 0;
        if has_ended && !effects.is_empty() && should_stand.is_some_and(|should| should != stands) {
            let reported =
                if operation.kind == Kind::Fail { "failed" } else { operation.output.and_then(Value::as_text).unwrap_or_default() };
            let how = if stands { "all its steps are in effect" } else { "none of its steps is in effect" };
            report.found("wrong-outcome", || Evidence::new(format!("Saga {} was reported as {reported}, but {how}.", id()), proof));
        }
        false
    }
}
