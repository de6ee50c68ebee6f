//! How injections that go wrong are recorded, by a fault whose scripts fail on demand.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use elenchus_core::{Seed, Span};

use crate::{About, Fault, NodeActions, Overlap, Recovery, RemoteScript, Roster, Safety, TakesDown, Targets};

/// A fault whose scripts say whether they fail.
#[derive(Debug, Default)]
struct Faulty {
    inject: bool,
    verify: AtomicBool,
    heal: AtomicBool,
    overlap: Option<&'static About>,
    takes_down: bool,
}

const ABOUT: About = About {
    name: "faulty",
    what: "does nothing",
    how: "not at all",
    needs: "nothing",
    verified: "on demand",
    healed: "on demand",
    example: "{}",
    reports_effect: false,
    overlap: Overlap::Shared,
    is_destructive: false,
};

fn script(fails: bool, what: &str) -> String {
    if fails { format!(": FAIL {what}\n") } else { format!(": {what}\n") }
}

/// Does what the first line of a script says: nothing, or fail.
fn run_script(_: &str, script: &str) -> Result<String, NemesisError> {
    match script.lines().next().and_then(|line| line.split_once("FAIL ")) {
        Some((_, what)) => Err(NemesisError::Refused(format!("{what} failed"))),
        None => Ok(String::new()),
    }
}

impl Fault for Faulty {
    fn about(&self) -> &'static About {
        self.overlap.unwrap_or(&ABOUT)
    }
    fn targets(&self) -> &Targets {
        &Targets::All
    }
    fn describe(&self, nodes: &str) -> String {
        format!("{nodes} affected")
    }
    fn takes_down(&self) -> Option<&dyn TakesDown> {
        self.takes_down.then_some(self as &dyn TakesDown)
    }
    fn actions(&self, _: &Cluster, _: u32, injection: &Injection) -> Result<Vec<NodeActions>, NemesisError> {
        let node_actions = |at: &usize| NodeActions {
            node: format!("n{}", at + 1),
            inject: script(self.inject, "inject"),
            verify: script(self.verify.load(Ordering::Relaxed), "verify"),
            undo: script(self.heal.load(Ordering::Relaxed), "heal"),
            verify_undone: script(false, "look"),
        };
        Ok(injection.nodes.iter().map(node_actions).collect())
    }
    fn undo_all(&self, _: &Cluster) -> Result<Vec<RemoteScript>, NemesisError> {
        Ok(Vec::new())
    }
}

impl TakesDown for Faulty {
    fn recovery(&self, _: &Cluster, _: &str) -> Recovery {
        Recovery { on: None, within: Span::secs(1) }
    }
}

fn in_force(id: u32, nodes: &[usize]) -> ActiveInjection {
    let (nodes, exclusive_names) = (nodes.to_vec(), Vec::new());
    let injection = Injection { nodes: nodes.clone(), ..Injection::default() };
    let fault = ActiveFault { id, name: "faulty", exclusive_names, group: None, reach: nodes.clone(), nodes, takes_down: false };
    ActiveInjection::new(fault, injection)
}

/// A signal that the run is over.
fn over() -> watch::Receiver<bool> {
    watch::channel(true).1
}

fn cluster() -> Cluster {
    let roster = Roster::of((1..=3).map(|number| format!("n{number}")).collect());
    let mut cluster = Cluster::new(Vec::new(), None).with_roster(roster);
    cluster.runner = Some(run_script);
    cluster
}

/// With a run that has no lines of its own.
async fn in_a_run<T>(record: Record<'_>, act: impl AsyncFnOnce(&Run<'_>) -> T) -> (T, usize, Outcome) {
    let store = tempfile::tempdir().unwrap();
    let (ledger, cluster, safety) = (Ledger::open(store.path()).unwrap(), cluster(), Safety::default());
    let schedule = FaultSchedule { lines: &[], safety: &safety, seed: Seed(1), duration: Duration::from_secs(60) };
    let run = Run::new(&cluster, schedule, &ledger, record, &|| 0);
    let done = act(&run).await;
    let outcome = run.outcome.into_inner().unwrap();
    (done, ledger.outstanding().len(), outcome)
}

/// Injects and heals once, where the heal fails if `stuck`; returns the recorded events, the number of injections left in the ledger, and the outcome.
async fn recorded(fault: Faulty, stuck: bool) -> (Vec<(Kind, Option<String>)>, usize, Outcome) {
    let events = Mutex::new(Vec::new());
    let record = |kind, _, event: FaultEvent, error| {
        assert_eq!((event.id, event.nodes.as_slice()), (1, ["n1".to_owned()].as_slice()));
        events.lock().unwrap().push((kind, error));
    };
    let ((), left, outcome) = in_a_run(&record, async |run| {
        let active = in_force(1, &[0]);
        let injection = active.injection.clone();
        if run.inject(&fault, active).await {
            assert_eq!(run.ledger.outstanding().len(), 1, "it is in the ledger while it is in force");
            fault.heal.store(stuck, Ordering::Relaxed);
            run.heal(&fault, 1, &injection, &mut over()).await;
        }
    })
    .await;
    (events.into_inner().unwrap(), left, outcome)
}

#[tokio::test]
async fn a_verified_injection_is_ok() {
    let (events, left, outcome) = recorded(Faulty::default(), false).await;
    assert_eq!(events, [(Kind::Invoke, None), (Kind::Ok, None), (Kind::Invoke, None), (Kind::Ok, None)]);
    assert_eq!((left, outcome.injected, outcome.failed), (0, 1, 0));
}

#[tokio::test]
async fn an_unverified_injection_is_info_and_is_healed() {
    let (events, left, outcome) = recorded(Faulty { verify: true.into(), ..Faulty::default() }, false).await;
    assert_eq!(events[1], (Kind::Info, Some("not verified: verify failed".into())));
    assert_eq!(events[3], (Kind::Ok, None));
    assert_eq!((left, outcome.injected), (0, 1));
}

#[tokio::test]
async fn the_heal_of_a_fault_that_ended_by_itself_is_info() {
    let events = Mutex::new(Vec::new());
    let record = |kind, _, _, error: Option<String>| events.lock().unwrap().push((kind, error));
    let fault = Faulty::default();
    in_a_run(&record, async |run| {
        let active = in_force(1, &[0]);
        assert!(run.inject(&fault, active.clone()).await);
        fault.verify.store(true, Ordering::Relaxed);
        run.heal(&fault, 1, &active.injection, &mut over()).await;
    })
    .await;
    let last = events.into_inner().unwrap().pop();
    assert_eq!(last, Some((Kind::Info, Some("it was no longer in force: verify failed".into()))));
}

#[tokio::test]
async fn a_failed_injection_that_is_undone_is_fail() {
    let (events, left, outcome) = recorded(Faulty { inject: true, ..Faulty::default() }, false).await;
    assert_eq!(events, [(Kind::Invoke, None), (Kind::Fail, Some("inject failed".into()))]);
    assert_eq!((left, outcome.injected, outcome.failed), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_heal_is_fail_and_stays_in_the_ledger() {
    let (events, left, _) = recorded(Faulty::default(), true).await;
    assert_eq!(events[3], (Kind::Fail, Some("heal failed".into())));
    assert_eq!((events.len(), left), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_failed_heal_is_tried_again_until_it_succeeds() {
    let events = Mutex::new(Vec::new());
    let record = |kind, _, _, error: Option<String>| events.lock().unwrap().push((kind, error));
    let fault = Faulty::default();
    let ((), left, _) = in_a_run(&record, async |run| {
        let active = in_force(1, &[0]);
        assert!(run.inject(&fault, active.clone()).await);
        fault.heal.store(true, Ordering::Relaxed);
        let (_going, mut stop) = watch::channel(false);
        let repair = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            fault.heal.store(false, Ordering::Relaxed);
        };
        tokio::join!(run.heal(&fault, 1, &active.injection, &mut stop), repair);
    })
    .await;
    let events = events.into_inner().unwrap();
    assert_eq!(events[3..], [(Kind::Fail, Some("heal failed".into())), (Kind::Ok, None)]);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn nodes_shared_by_two_injections_are_healed_with_the_later() {
    in_a_run(&|_, _, _, _| {}, async |run| {
        let (first, second) = (in_force(1, &[0, 1]), in_force(2, &[1, 2]));
        run.active(|active| active.extend([first.clone(), second.clone()]));
        // Neither is removed in between: both heals are under way at once.
        let (ours, left) = run.without_shared_nodes(&Faulty::default(), 1, &first.injection);
        assert_eq!((ours.nodes, left), (vec![0], vec![1]));
        assert_eq!(run.without_shared_nodes(&Faulty::default(), 2, &second.injection).0.nodes, [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn independent_injections_are_healed_separately() {
    static APART: About = About { overlap: Overlap::Independent, ..ABOUT };
    in_a_run(&|_, _, _, _| {}, async |run| {
        let (first, second) = (in_force(1, &[0, 1]), in_force(2, &[1, 2]));
        run.active(|active| active.extend([first.clone(), second]));
        let fault = Faulty { overlap: Some(&APART), ..Faulty::default() };
        assert_eq!(run.without_shared_nodes(&fault, 1, &first.injection).0.nodes, [0, 1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_down_is_healed_when_it_is_back() {
    let events = Mutex::new(Vec::new());
    let record = |kind, _, event: FaultEvent, error: Option<String>| events.lock().unwrap().push((event.id, kind, error));
    let ((), left, outcome) = in_a_run(&record, async |run| {
        let (first, down) = (in_force(1, &[0, 1]), in_force(2, &[1]));
        let down = ActiveInjection { fault: ActiveFault { takes_down: true, ..down.fault }, ..down };
        let (cut, off) = (Faulty::default(), Faulty { takes_down: true, ..Faulty::default() });
        assert!(run.inject(&cut, first.clone()).await && run.inject(&off, down.clone()).await);
        assert_eq!(run.down(), ["n2"]);
        assert!(!run.inject(&cut, in_force(3, &[1, 2])).await, "no injection into a node that is down");
        let later = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(run.ledger.outstanding().len(), 2, "neither is healed");
            run.heal(&off, 2, &down.injection, &mut over()).await;
        };
        let mut stop = over();
        tokio::join!(run.heal(&cut, 1, &first.injection, &mut stop), later);
    })
    .await;
    let last = events.into_inner().unwrap().pop().unwrap();
    let why = "ended early: faulty 2 took n2 down";
    assert_eq!(last, (1, Kind::Info, Some(why.into())));
    assert_eq!((left, outcome.injected, outcome.failed), (0, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn no_heal_waits_for_a_node_that_does_not_come_back() {
    let ((), left, _) = in_a_run(&|_, _, _, _| {}, async |run| {
        let (first, down) = (in_force(1, &[0, 1]), in_force(2, &[1]));
        let down = ActiveInjection { fault: ActiveFault { takes_down: true, ..down.fault }, ..down };
        let (cut, off) = (Faulty::default(), Faulty { takes_down: true, ..Faulty::default() });
        assert!(run.inject(&cut, first.clone()).await && run.inject(&off, down.clone()).await);
        off.heal.store(true, Ordering::Relaxed);
        let (mut stop, mut also) = (over(), over());
        tokio::join!(run.heal(&cut, 1, &first.injection, &mut stop), run.heal(&off, 2, &down.injection, &mut also));
        assert!(run.active(|active| active.len() == 1 && !active[0].is_leased), "its lease is no longer renewed");
    })
    .await;
    assert_eq!(left, 1, "the node that is off stays in the ledger");
}

#[tokio::test]
async fn an_injection_that_the_limits_forbid_fails() {
    let events = Mutex::new(Vec::new());
    let record = |kind, _, _, error: Option<String>| events.lock().unwrap().push((kind, error));
    let ((), left, outcome) = in_a_run(&record, async |run| {
        let one = ActiveFault { group: Some("a".into()), ..in_force(1, &[0]).fault };
        run.active(|active| active.push(ActiveInjection { fault: one.clone(), ..in_force(1, &[0]) }));
        let second = ActiveInjection { fault: ActiveFault { id: 2, ..one }, ..in_force(2, &[1]) };
        assert!(!run.inject(&Faulty::default(), second).await);
    })
    .await;
    assert!(matches!(&events.into_inner().unwrap()[1], (Kind::Fail, Some(why)) if why.contains("same group")));
    assert_eq!((left, outcome.failed), (0, 1));
}
