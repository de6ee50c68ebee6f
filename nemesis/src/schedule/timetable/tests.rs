use elenchus_core::Span;
use proptest::prelude::*;

use super::*;
use crate::faults::network::partition::{Partition, Shape};
use crate::schedule::safety::AtMost;

fn roster() -> Roster {
    Roster::of((1..=5).map(|number| format!("n{number}")).collect())
}

fn line(every: u64, lasting: u64, interval: Interval) -> Scheduled {
    let partition = Some(Partition { shape: Shape::MajorityMinority, ..Partition::default() });
    Scheduled { partition, every: Some(Span::millis(every)), lasting: Span::millis(lasting), interval, ..Scheduled::default() }
}

fn read(yaml: &str) -> Scheduled {
    let line: Scheduled = serde_yaml::from_str(yaml).unwrap();
    line.check(&roster()).unwrap();
    line
}

fn planned(lines: &[Scheduled], safety: &Safety, seed: u64, seconds: u64) -> Vec<Planned> {
    plan(lines, safety, &roster(), Seed(seed), Duration::from_secs(seconds))
}

fn starts(lines: &[Scheduled]) -> Vec<u64> {
    planned(lines, &Safety::default(), 1, 60).iter().map(|one| one.at().as_secs()).collect()
}

proptest! {
    #[test]
    fn the_seed_decides_everything(seed: u64, every in 200u64..60_000, share in 0.01f64..0.99) {
        let random = line(every, ((every as f64 * share) as u64).max(1), Interval::Random);
        let limit = Duration::from_millis(every * 40);
        let plan = |lines: &[Scheduled]| plan(lines, &Safety::default(), &roster(), Seed(seed), limit);
        let planned = plan(std::slice::from_ref(&random));
        prop_assert_eq!(&planned, &plan(std::slice::from_ref(&random)));
        prop_assert!(planned.windows(2).all(|pair| pair[0].until() <= pair[1].at()), "a line does not overlap itself");
        prop_assert!(planned.iter().all(|one| one.lasting == random.lasting.0 && one.at() < limit));
        // Another line changes nothing of the first.
        let both = plan(&[random.clone(), line(every, 1, Interval::Fixed)]);
        prop_assert!(both.windows(2).all(|pair| pair[0].at() <= pair[1].at()));
        prop_assert_eq!(planned, both.into_iter().filter(|one| one.line == 0).collect::<Vec<_>>());
    }

    #[test]
    fn limits_hold_at_every_moment(seed: u64) {
        let lines = [
            read("{kill: {targets: random}, every: 4s, for: 3s, group: a}"),
            read("{pause: {targets: one}, every: 5s, for: 2s, jitter: 1s, interval: fixed, group: a}"),
            read("{partition: {shape: one_node}, every: 6s, for: 4s}"),
        ];
        let safety = Safety { at_most: AtMost::Minority, at_once: Some(2), ..Safety::default() };
        let planned = planned(&lines, &safety, seed, 200);
        for one in &planned {
            let beside: Vec<&Planned> = planned.iter().filter(|other| other.at() <= one.at() && other.until() > one.at()).collect();
            let mut targets: Vec<usize> = beside.iter().flat_map(|other| match &other.decision {
                Decision::Injection(injection) => injection.nodes.clone(),
                Decision::Primaries { .. } => Vec::new(),
            }).collect();
            targets.sort_unstable();
            targets.dedup();
            prop_assert!(targets.len() <= 2 && beside.len() <= 2);
            prop_assert!(beside.iter().filter(|other| other.line < 2).count() <= 1, "one of a group");
        }
    }
}

#[test]
fn fixed_intervals_are_fixed() {
    let mut fixed = line(15_000, 8_000, Interval::Fixed);
    assert_eq!(starts(std::slice::from_ref(&fixed)), [7, 22, 37, 52]);
    fixed.after = Some(Span::secs(0));
    assert_eq!(starts(&[fixed]), [0, 15, 30, 45]);
}

#[test]
fn fixed_times_are_kept() {
    assert_eq!(starts(&[read("{kill: {}, at: [3s, 20s], for: 2s}")]), [3, 20]);
    let after = planned(&[read("{kill: {}, after_operations: 500, for: 2s}")], &Safety::default(), 1, 60);
    assert_eq!(after.iter().map(|one| one.start).collect::<Vec<_>>(), [Start::AfterOperations(500)]);
}

#[test]
fn what_waits_for_changes_is_planned_once_and_decided_at_each_event() {
    let lines = [read("{kill: {targets: one}, when: primary_changes, for: 2s, chance: 0.5}")];
    let first = planned(&lines, &Safety::default(), 1, 60);
    assert_eq!(first.iter().map(|one| one.start).collect::<Vec<_>>(), [Start::PrimaryChanges]);
    let roster = Roster::of((1..=5).map(|number| format!("n{number}")).collect());
    let decided = |seed| at_each_event(&lines, 0, &roster, Seed(seed)).take(200).collect::<Vec<_>>();
    let made: Vec<Planned> = decided(1).into_iter().flatten().collect();
    assert!((60..140).contains(&made.len()) && made[0] == first[0], "{} of 200", made.len());
    assert!(made.iter().any(|one| one.decision != made[0].decision));
    assert!(decided(1) == decided(1) && decided(1) != decided(2));
}

#[test]
fn jitter_stays_within_its_bounds() {
    let planned = planned(&[read("{kill: {}, every: 10s, for: 4s, jitter: 1s, interval: fixed}")], &Safety::default(), 3, 1000);
    let within = |span: Duration, least: u64, most: u64| (Duration::from_secs(least)..=Duration::from_secs(most)).contains(&span);
    assert!(planned.iter().all(|one| within(one.lasting, 3, 5)));
    assert!(planned.windows(2).all(|pair| within(pair[1].at() - pair[0].until(), 5, 7)));
    assert!(planned.windows(2).any(|pair| pair[0].lasting != pair[1].lasting));
}

#[test]
fn chance_and_weights_are_kept() {
    let made = planned(&[read("{kill: {}, every: 1s, for: 500ms, chance: 0.25, interval: fixed}")], &Safety::default(), 5, 4000).len();
    assert!((850..1150).contains(&made), "{made} of 4000");
    let mixed = planned(
        &[read("{mix: [{kill: {}, weight: 3}, {pause: {}}], every: 1s, for: 500ms, interval: fixed}")],
        &Safety::default(),
        5,
        4000,
    );
    let kills = mixed.iter().filter(|one| one.fault == "kill").count();
    assert!(mixed.len() == 4000 && (2850..3150).contains(&kills), "{kills} of {}", mixed.len());
}

#[test]
fn phases_begin_and_end() {
    let lines = [
        read("{kill: {}, every: 5s, for: 2s, interval: fixed, after: 0s, until: 21s}"),
        read("{pause: {}, every: 10s, for: 6s, interval: fixed, after: 30s, until: 45s}"),
    ];
    let made = planned(&lines, &Safety::default(), 1, 3600);
    let times: Vec<(&str, u64, u64)> = made.iter().map(|one| (one.fault, one.at().as_secs(), one.until().as_secs())).collect();
    let kills = [("kill", 0, 2), ("kill", 5, 7), ("kill", 10, 12), ("kill", 15, 17), ("kill", 20, 21)];
    assert_eq!(times, [kills.as_slice(), &[("pause", 30, 36), ("pause", 40, 45)]].concat());
}

#[test]
fn a_mix_may_be_used_in_turn() {
    let made = planned(
        &[read("{mix: [{kill: {}, weight: 2}, {pause: {}}], pick: in_turn, every: 1s, for: 500ms, interval: fixed}")],
        &Safety::default(),
        5,
        6,
    );
    assert_eq!(made.iter().map(|one| one.fault).collect::<Vec<_>>(), ["kill", "kill", "pause", "kill", "kill", "pause"]);
}

#[test]
fn endless_spans_do_not_overflow() {
    let mut endless = line(1, 1, Interval::Random);
    endless.every = Some(Span(Duration::MAX));
    endless.lasting = Span(Duration::MAX - Duration::from_secs(1));
    endless.after = Some(Span(Duration::ZERO));
    assert_eq!(planned(&[endless], &Safety::default(), 1, 60).len(), 1);
}
