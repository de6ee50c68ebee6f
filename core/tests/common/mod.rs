//! Arbitrary histories.

#![allow(dead_code, reason = "not every test needs all of it")]

use elenchus_core::value::Float;
use elenchus_core::{Event, History, Kind, Nanos, NodeIndex, Process, Symbol, Value};
use proptest::prelude::*;

/// The number of cases of each property: `ELENCHUS_CASES`, or this default.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    ProptestConfig::with_cases(std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default))
}

/// The values that a format can represent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expressible {
    All,
    /// Only finite numbers, and only text as keys of maps.
    InJson,
}

pub(crate) fn any_value(expressible: Expressible) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-9i64..99).prop_map(Value::from),
        any::<f64>().prop_map(move |number| {
            // Text formats have a single NaN.
            let number = if number.is_nan() { f64::NAN } else { number };
            Value::Float(Float::new(if expressible == Expressible::InJson && !number.is_finite() { 0.5 } else { number }))
        }),
        ".{0,20}".prop_map(Value::from),
        "[\"\\\\\\x00-\\x1f:;#{}\\[\\]a ]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(move |mut pairs| {
                if expressible == Expressible::InJson {
                    pairs.iter_mut().for_each(|(key, _)| *key = Value::from(key.to_string()));
                }
                Value::from(pairs)
            }),
        ]
    })
}

pub(crate) fn any_event(expressible: Expressible) -> impl Strategy<Value = Event> {
    let process = prop_oneof![any::<u32>().prop_map(|id| Process::Client(id % (u32::MAX - 1))), Just(Process::Nemesis)];
    let kind = prop::sample::select(vec![Kind::Invoke, Kind::Ok, Kind::Fail, Kind::Info]);
    (
        0..i64::MAX as u64,
        process,
        kind,
        prop_oneof!["[a-z]{1,6}", ".{0,4}"],
        // A nil key means no key.
        prop::option::of(any_value(expressible).prop_filter("a key", |key| !key.is_nil())),
        any_value(expressible),
        prop::option::of(".{0,9}"),
        prop::option::of(0u16..5),
    )
        .prop_map(|(time, process, kind, f, key, value, error, node)| Event {
            time: Nanos(time),
            process,
            kind,
            f: Symbol::intern(&f),
            key,
            value,
            error: error.map(Into::into),
            node: node.map(NodeIndex),
        })
}

pub(crate) fn any_history(expressible: Expressible) -> impl Strategy<Value = History> {
    let nodes = ["n1", "n2", "node \"3\"", "", "ñ"].map(String::from).to_vec();
    prop::collection::vec(any_event(expressible), 0..30).prop_map(move |events| History { events, nodes: nodes.clone() })
}

/// Renumbers nodes in order of first appearance, as parsing a text format does.
pub(crate) fn with_nodes_as_mentioned(history: &History) -> History {
    let mut nodes: Vec<String> = Vec::new();
    let events = history.events.iter().cloned().map(|mut event| {
        event.node = event.node.map(|node| {
            let name = history.node_name(node);
            let at = nodes.iter().position(|known| *known == name).unwrap_or_else(|| {
                nodes.push(name);
                nodes.len() - 1
            });
            NodeIndex(at as u16)
        });
        event
    });
    let events = events.collect();
    History { events, nodes }
}
