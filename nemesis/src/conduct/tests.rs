//! What is said of an injection that goes wrong, with a fault that breaks nothing but its promises.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::about::{About, Overlap};
use crate::{Errand, Fault, Targets, Work};

/// Its scripts say what they are for, and whether that fails.
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
    what: "breaks nothing",
    how: "not at all",
    needs: "nothing",
    verified: "as it is told",
    healed: "as it is told",
    overlap: Overlap::Shared,
    is_destructive: false,
};

fn script(fails: bool, what: &str) -> String {
    if fails { format!(": FAIL {what}\n") } else { format!(": {what}\n") }
}

/// Does what a script's first line says: nothing, or fail.
fn hands(errand: &Errand) -> Result<String, NemesisError> {
    match errand.script.lines().next().and_then(|line| line.split_once("FAIL ")) {
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
    fn what(&self, nodes: &str) -> String {
        format!("{nodes} struck")
    }
    fn takes_down(&self) -> bool {
        self.takes_down
    }
    fn works(&self, _: &Cluster, _: u32, deed: &Deed) -> Result<Vec<Work>, NemesisError> {
        let work = |at: &usize| Work {
            node: format!("n{}", at + 1),
            inject: script(self.inject, "inject"),
            verify: script(self.verify.load(Ordering::Relaxed), "verify"),
            undo: script(self.heal.load(Ordering::Relaxed), "heal"),
            verify_undone: script(false, "look"),
        };
        Ok(deed.nodes.iter().map(work).collect())
    }
    fn sweep(&self, _: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(Vec::new())
    }
}

fn held(id: u32, nodes: &[usize]) -> Active {
    let held =
        Held { id, fault: "faulty", alone: Vec::new(), group: None, nodes: nodes.to_vec(), reach: nodes.to_vec(), takes_down: false };
    Active {
        id,
        held,
        deed: Deed { nodes: nodes.to_vec(), ..Deed::default() },
        is_leased: true,
        verified: false,
        ending: false,
        cut_short: None,
    }
}

/// What tells that the run is over.
fn over() -> watch::Receiver<bool> {
    watch::channel(true).1
}

fn cluster() -> Cluster {
    let roster = Roster::of((1..=3).map(|number| format!("n{number}")).collect());
    let mut cluster = Cluster::new(Vec::new(), None).with_roster(roster);
    cluster.hands = Some(hands);
    cluster
}

/// With a run that has no lines of its own.
async fn in_a_run<T>(record: Record<'_>, act: impl AsyncFnOnce(&Run<'_>) -> T) -> (T, usize, Outcome) {
    let store = tempfile::tempdir().unwrap();
    let (ledger, cluster, safety) = (Ledger::open(store.path()).unwrap(), cluster(), Safety::default());
    let campaign = Campaign { lines: &[], safety: &safety, seed: Seed(1), duration: Duration::from_secs(60) };
    let run = Run::new(&cluster, campaign, &ledger, record, &|| 0);
    let done = act(&run).await;
    let outcome = run.outcome.into_inner().unwrap();
    (done, ledger.outstanding().len(), outcome)
}

/// Injects and heals once, the heal failing if `stuck`, and returns the kinds told with what is left in the ledger and the outcome.
async fn told(fault: Faulty, stuck: bool) -> (Vec<(Kind, Option<String>)>, usize, Outcome) {
    let said = Mutex::new(Vec::new());
    let record = |kind, _, event: FaultEvent, error| {
        assert_eq!((event.id, event.nodes.as_slice()), (1, ["n1".to_owned()].as_slice()));
        said.lock().unwrap().push((kind, error));
    };
    let ((), left, outcome) = in_a_run(&record, async |run| {
        let active = held(1, &[0]);
        let deed = active.deed.clone();
        if run.inject(&fault, active).await {
            assert_eq!(run.ledger.outstanding().len(), 1, "it is in the ledger while it is in force");
            fault.heal.store(stuck, Ordering::Relaxed);
            run.heal(&fault, 1, &deed, &mut over()).await;
        }
    })
    .await;
    (said.into_inner().unwrap(), left, outcome)
}

#[tokio::test]
async fn what_is_verified_is_ok() {
    let (said, left, outcome) = told(Faulty::default(), false).await;
    assert_eq!(said, [(Kind::Invoke, None), (Kind::Ok, None), (Kind::Invoke, None), (Kind::Ok, None)]);
    assert_eq!((left, outcome.injected, outcome.failed), (0, 1, 0));
}

#[tokio::test]
async fn what_is_not_verified_is_info_and_healed_all_the_same() {
    let (said, left, outcome) = told(Faulty { verify: true.into(), ..Faulty::default() }, false).await;
    assert_eq!(said[1], (Kind::Info, Some("not verified: verify failed".into())));
    assert_eq!(said[3], (Kind::Ok, None));
    assert_eq!((left, outcome.injected), (0, 1));
}

#[tokio::test]
async fn what_ends_by_itself_is_info_when_it_is_to_be_healed() {
    let said = Mutex::new(Vec::new());
    let record = |kind, _, _, error: Option<String>| said.lock().unwrap().push((kind, error));
    let fault = Faulty::default();
    in_a_run(&record, async |run| {
        let active = held(1, &[0]);
        assert!(run.inject(&fault, active.clone()).await);
        fault.verify.store(true, Ordering::Relaxed);
        run.heal(&fault, 1, &active.deed, &mut over()).await;
    })
    .await;
    let last = said.into_inner().unwrap().pop();
    assert_eq!(last, Some((Kind::Info, Some("it was no longer in force: verify failed".into()))));
}

#[tokio::test]
async fn what_is_not_done_and_undone_is_fail() {
    let (said, left, outcome) = told(Faulty { inject: true, ..Faulty::default() }, false).await;
    assert_eq!(said, [(Kind::Invoke, None), (Kind::Fail, Some("inject failed".into()))]);
    assert_eq!((left, outcome.injected, outcome.failed), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_healed_is_fail_and_stays_in_the_ledger() {
    let (said, left, _) = told(Faulty::default(), true).await;
    assert_eq!(said[3], (Kind::Fail, Some("heal failed".into())));
    assert_eq!((said.len(), left), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_healed_is_tried_until_it_is() {
    let said = Mutex::new(Vec::new());
    let record = |kind, _, _, error: Option<String>| said.lock().unwrap().push((kind, error));
    let fault = Faulty::default();
    let ((), left, _) = in_a_run(&record, async |run| {
        let active = held(1, &[0]);
        assert!(run.inject(&fault, active.clone()).await);
        fault.heal.store(true, Ordering::Relaxed);
        let (_going, mut stop) = watch::channel(false);
        let mends = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            fault.heal.store(false, Ordering::Relaxed);
        };
        tokio::join!(run.heal(&fault, 1, &active.deed, &mut stop), mends);
    })
    .await;
    let said = said.into_inner().unwrap();
    assert_eq!(said[3..], [(Kind::Fail, Some("heal failed".into())), (Kind::Ok, None)]);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn what_two_injections_share_is_healed_with_the_later() {
    in_a_run(&|_, _, _, _| {}, async |run| {
        let (first, second) = (held(1, &[0, 1]), held(2, &[1, 2]));
        run.active(|active| active.extend([first.clone(), second.clone()]));
        // Neither is struck in between: both heals are under way at once.
        let (ours, left) = run.not_held_by_others(&Faulty::default(), 1, &first.deed);
        assert_eq!((ours.nodes, left), (vec![0], vec![1]));
        assert_eq!(run.not_held_by_others(&Faulty::default(), 2, &second.deed).0.nodes, [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn what_is_undone_by_itself_is_healed_by_itself() {
    static APART: About = About { overlap: Overlap::Apart, ..ABOUT };
    in_a_run(&|_, _, _, _| {}, async |run| {
        let (first, second) = (held(1, &[0, 1]), held(2, &[1, 2]));
        run.active(|active| active.extend([first.clone(), second]));
        let fault = Faulty { overlap: Some(&APART), ..Faulty::default() };
        assert_eq!(run.not_held_by_others(&fault, 1, &first.deed).0.nodes, [0, 1]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_is_down_is_healed_when_it_is_back_and_what_that_ended_is_said() {
    let said = Mutex::new(Vec::new());
    let record = |kind, _, event: FaultEvent, error: Option<String>| said.lock().unwrap().push((event.id, kind, error));
    let ((), left, outcome) = in_a_run(&record, async |run| {
        let (first, down) = (held(1, &[0, 1]), held(2, &[1]));
        let down = Active { held: Held { takes_down: true, ..down.held }, ..down };
        let (cut, off) = (Faulty::default(), Faulty { takes_down: true, ..Faulty::default() });
        assert!(run.inject(&cut, first.clone()).await && run.inject(&off, down.clone()).await);
        assert_eq!(run.down(), ["n2"]);
        assert!(!run.inject(&cut, held(3, &[1, 2])).await, "nothing is done to who is down");
        let later = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(run.ledger.outstanding().len(), 2, "neither is healed");
            run.heal(&off, 2, &down.deed, &mut over()).await;
        };
        let mut stop = over();
        tokio::join!(run.heal(&cut, 1, &first.deed, &mut stop), later);
    })
    .await;
    let last = said.into_inner().unwrap().pop().unwrap();
    let why = "faulty 2 took n2 down before, and what was in memory there was over";
    assert_eq!(last, (1, Kind::Info, Some(why.into())));
    assert_eq!((left, outcome.injected, outcome.failed), (0, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_node_that_does_not_come_back() {
    let ((), left, _) = in_a_run(&|_, _, _, _| {}, async |run| {
        let (first, down) = (held(1, &[0, 1]), held(2, &[1]));
        let down = Active { held: Held { takes_down: true, ..down.held }, ..down };
        let (cut, off) = (Faulty::default(), Faulty { takes_down: true, ..Faulty::default() });
        assert!(run.inject(&cut, first.clone()).await && run.inject(&off, down.clone()).await);
        off.heal.store(true, Ordering::Relaxed);
        let (mut stop, mut also) = (over(), over());
        tokio::join!(run.heal(&cut, 1, &first.deed, &mut stop), run.heal(&off, 2, &down.deed, &mut also));
        assert!(run.active(|active| active.len() == 1 && !active[0].is_leased), "its lease is renewed no more");
    })
    .await;
    assert_eq!(left, 1, "who is off stays in the ledger");
}

#[tokio::test]
async fn what_safety_forbids_is_not_done() {
    let said = Mutex::new(Vec::new());
    let record = |kind, _, _, error: Option<String>| said.lock().unwrap().push((kind, error));
    let ((), left, outcome) = in_a_run(&record, async |run| {
        let one = Held { group: Some("a".into()), ..held(1, &[0]).held };
        run.active(|active| active.push(Active { held: one.clone(), ..held(1, &[0]) }));
        let second = Active { held: Held { id: 2, ..one }, ..held(2, &[1]) };
        assert!(!run.inject(&Faulty::default(), second).await);
    })
    .await;
    assert!(matches!(&said.into_inner().unwrap()[1], (Kind::Fail, Some(why)) if why.contains("same group")));
    assert_eq!((left, outcome.failed), (0, 1));
}
