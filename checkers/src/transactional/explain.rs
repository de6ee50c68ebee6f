//! An instance of a phenomenon as text, as a picture, as DOT and as JSON.

use std::fmt::Write as _;

use elenchus_core::Kind;
use serde_json::{Value as Json, json};

use super::analysis::Analysis;
use super::counts::{Instance, Link, LinkKind};
use super::minimal::distinct;
use super::phenomenon::Phenomenon;
use crate::picture::graph::{Arrow, Node, draw};

/// The maximum number of transactions in a picture; longer cycles are cut off.
const MAX_TRANSACTIONS: usize = 64;

impl LinkKind {
    fn color(self) -> &'static str {
        match self {
            LinkKind::Ww => "#b07a00",
            LinkKind::Wr => crate::picture::BLUE,
            LinkKind::Rw | LinkKind::PredicateRw => crate::picture::VERMILION,
            LinkKind::Process => crate::picture::GREY,
            LinkKind::Realtime => "#009e73",
        }
    }

    fn is_order(self) -> bool {
        matches!(self, LinkKind::Process | LinkKind::Realtime)
    }
}

impl Analysis<'_> {
    /// Returns a paragraph: the definition, the transactions, and the argument step by step.
    pub fn text(&self, phenomenon: Phenomenon, instance: &Instance) -> String {
        let entry = phenomenon.entry();
        let mut text = format!("{}: {} ({}).\n", entry.name, entry.about, entry.source);
        for &transaction in &instance.transactions {
            let _ = writeln!(text, "  {}", self.transactions().describe(transaction));
        }
        text.push_str("Because:\n");
        for sentence in self.sentences(instance) {
            let _ = writeln!(text, "  - {sentence}.");
        }
        if !instance.cycle.is_empty() {
            text.push_str("So each of these transactions would have to precede itself.\n");
        }
        text
    }

    /// Draws transactions as boxes with their steps, and edges by kind, as SVG.
    pub fn svg(&self, phenomenon: Phenomenon, instance: &Instance) -> String {
        let mut members = distinct(instance);
        members.truncate(MAX_TRANSACTIONS);
        let at = |transaction: u32| members.iter().position(|&member| member == transaction);
        let t = self.transactions();
        let nodes: Vec<Node> = members
            .iter()
            .map(|&member| {
                let status = if t.kind(member) == Kind::Ok { "" } else { ", crashed" };
                let status = if t.kind(member) == Kind::Fail { ", failed" } else { status };
                Node {
                    title: format!("{} process {}, event {}{status}", t.name(member), t.process(member), t.invoked(member)),
                    lines: t.step_notations(member),
                }
            })
            .collect();
        let arrows: Vec<Arrow> = instance
            .cycle
            .iter()
            .chain(&instance.arrows)
            .filter_map(|link| {
                let (label, color) = (link.kind.name(), link.kind.color());
                Some(Arrow { from: at(link.from)?, to: at(link.to)?, label, color, dashed: link.kind.is_order() })
            })
            .collect();
        draw(&format!("{phenomenon}: {}", phenomenon.entry().about), &nodes, &arrows)
    }

    /// Returns the same graph for Graphviz.
    pub fn dot(&self, phenomenon: Phenomenon, instance: &Instance) -> String {
        let t = self.transactions();
        let mut dot = format!("digraph {:?} {{\n  node [shape=box fontname=monospace];\n", phenomenon.name());
        for member in distinct(instance) {
            let label = format!("{} process {}\n{}", t.name(member), t.process(member), t.step_notations(member).join("\n"));
            let _ = writeln!(dot, "  {} [label={label:?}];", t.name(member));
        }
        for link in instance.cycle.iter().chain(&instance.arrows) {
            let style = if link.kind.is_order() { " style=dashed" } else { "" };
            let _ = writeln!(
                dot,
                "  {} -> {} [label={:?} color={:?}{style}];",
                t.name(link.from),
                t.name(link.to),
                link.kind.name(),
                link.kind.color()
            );
        }
        dot.push_str("}\n");
        dot
    }

    /// Returns the instance as JSON.
    pub fn json(&self, instance: &Instance) -> Json {
        let t = self.transactions();
        let transaction = |&transaction: &u32| {
            json!({
                "name": t.name(transaction),
                "process": t.process(transaction),
                "invoked": t.invoked(transaction),
                "completed": t.completed(transaction),
                "type": t.kind(transaction),
                "steps": t.step_notations(transaction),
            })
        };
        let link =
            |link: &Link| json!({ "from": t.name(link.from), "to": t.name(link.to), "kind": link.kind.name(), "why": self.sentence(link) });
        json!({
            "key": instance.key.map(|key| t.key(key)),
            "transactions": instance.transactions.iter().map(transaction).collect::<Vec<_>>(),
            "cycle": instance.cycle.iter().map(link).collect::<Vec<_>>(),
            "argument": self.sentences(instance),
            "began": self.began(instance),
        })
    }
}
