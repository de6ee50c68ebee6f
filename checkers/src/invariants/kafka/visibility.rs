//! Checks which messages were polled: aborted, phantom, lost and unseen ones.

use elenchus_core::{Kind, Process};
use rustc_hash::FxHashSet;

use super::super::{Part, Report};
use super::log::Log;
use super::steps::{Steps, polls_without_result};
use super::{Evidence, Kafka};

pub(super) fn judge(kafka: &Kafka, part: &Part<'_>, steps: &Steps<'_>, log: &Log, report: &mut Report) {
    let operations = &part.operations;
    for (at, reader) in operations.iter().enumerate() {
        let mut sent: Vec<u32> = steps.of(at).iter().filter(|seen| seen.sends).map(|seen| seen.message).collect();
        sent.sort_unstable();
        let polled = || steps.of(at).iter().filter(|seen| !seen.sends);
        if let Some(own) = polled().find(|seen| sent.binary_search(&seen.message).is_ok()) {
            report.found("precommitted-read", || {
                Evidence::new(format!("A transaction polled {}, which it sent itself.", steps.describe(own.message)), [reader])
            });
        }
        for seen in polled().filter(|_| reader.kind == Kind::Ok) {
            let message = steps.message(seen);
            if let (None, Some(failed)) = (message.writer, message.failed) {
                report.found("G1a", || {
                    let proof = [&operations[failed as usize], reader];
                    Evidence::new(format!("{} was polled, although its send failed.", steps.describe(seen.message)), proof)
                });
            }
        }
    }
    for (number, message) in (0_u32..).zip(&steps.messages) {
        let Some(reader) = message.reader.map(|at| &operations[at as usize]) else {
            continue;
        };
        let writer = message.writer.map(|at| &operations[at as usize]);
        match writer {
            None if message.failed.is_none() => {
                report.found("unexpected", || Evidence::new(format!("{} was polled, but never sent.", steps.describe(number)), [reader]))
            }
            Some(writer) if Some(writer.invoked) > reader.completed => report.found("unexpected", || {
                Evidence::new(format!("{} was polled before it was sent.", steps.describe(number)), [reader, writer])
            }),
            _ => {}
        }
    }
    missing(kafka, part, steps, log, report);
}

/// Reports messages that were never polled.
fn missing(kafka: &Kafka, part: &Part<'_>, steps: &Steps<'_>, log: &Log, report: &mut Report) {
    let operations = &part.operations;
    // The greatest polled rank of each log, and the operation that polled it.
    let mut reached: Vec<Option<(u32, u32)>> = vec![None; steps.keys.len()];
    for (number, message) in (0_u32..).zip(&steps.messages) {
        if let (Some(reader), Some((first, _))) = (message.reader, log.ranks(number)) {
            let reached = &mut reached[message.key as usize];
            if reached.is_none_or(|(rank, _)| rank < first) {
                *reached = Some((first, reader));
            }
        }
    }
    let may_consume = kafka.crashed_polls_consume && subscribers_crashed(part);
    let (mut doubtful, mut unseen) = (0, 0);
    for (number, message) in (0_u32..).zip(&steps.messages).filter(|(_, message)| !message.is_polled) {
        let Some(writer) = message.writer.filter(|writer| log.is_committed(*writer)) else {
            continue;
        };
        let passed = reached[message.key as usize].filter(|(rank, _)| log.ranks(number).is_some_and(|(_, last)| last <= *rank));
        match passed {
            Some(_) if may_consume => doubtful += 1,
            Some((_, reader)) => report.found("lost-write", || {
                let proof = [writer, reader].map(|at| &operations[at as usize]);
                Evidence::new(format!("{} was never polled, although a later message of its log was.", steps.describe(number)), proof)
            }),
            None if kafka.drained => report
                .found("unseen", || Evidence::new(format!("{} was never polled.", steps.describe(number)), [&operations[writer as usize]])),
            None => unseen += 1,
        }
    }
    if doubtful > 0 {
        report.doubt(format!("{doubtful} messages were skipped, but crashed polls of subscribed processes may have consumed them"));
    }
    if unseen > 0 {
        report.doubt(format!("{unseen} committed messages were never polled, nor were any later messages of their logs"));
    }
    report.count("unseen_messages", unseen);
}

/// Returns whether a poll of a subscribed process crashed without recording its result.
fn subscribers_crashed(part: &Part<'_>) -> bool {
    let mut subscribed: FxHashSet<Process> = FxHashSet::default();
    part.operations.iter().any(|operation| {
        match operation.f.as_str() {
            "subscribe" if operation.kind != Kind::Fail => drop(subscribed.insert(operation.process)),
            "assign" if operation.kind == Kind::Ok => drop(subscribed.remove(&operation.process)),
            _ => {}
        }
        operation.kind == Kind::Info && subscribed.contains(&operation.process) && polls_without_result(part, operation)
    })
}
