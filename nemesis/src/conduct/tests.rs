//! What is said of an injection that goes wrong, with a fault that breaks nothing but its promises.

use std::sync::atomic::AtomicBool;

use elenchus_core::{BoxFuture, Rng};

use super::*;
use crate::{Aim, Errand, Fault};

/// Fails where it is told to.
#[derive(Debug, Default)]
struct Faulty {
    inject: bool,
    verify: bool,
    heal: AtomicBool,
}

fn refuse(whether: bool, what: &str) -> Result<(), NemesisError> {
    if whether { Err(NemesisError::Refused(format!("{what} failed"))) } else { Ok(()) }
}

impl Fault for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn check(&self, _: &[String]) -> Result<(), String> {
        Ok(())
    }
    fn needs_primary(&self) -> bool {
        false
    }
    fn needs_system(&self) -> bool {
        false
    }
    fn aim(&self, _: &[String], _: &mut Rng) -> Aim {
        Aim::Deed(deed())
    }
    fn at_primaries(&self, _: &[String], _: &[usize]) -> Deed {
        deed()
    }
    fn inject<'a>(&'a self, _: &'a Cluster, _: u32, _: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async { refuse(self.inject, "inject") })
    }
    fn verify<'a>(&'a self, _: &'a Cluster, _: u32, _: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async { refuse(self.verify, "verify") })
    }
    fn inverse(&self, _: &Cluster, _: u32, _: &Deed) -> Result<Vec<Errand>, NemesisError> {
        Ok(Vec::new())
    }
    fn proof(&self, _: &Cluster, _: u32, _: &Deed) -> Result<Vec<Errand>, NemesisError> {
        refuse(self.heal.load(Ordering::Relaxed), "heal").map(|()| Vec::new())
    }
    fn sweep(&self, _: &Cluster) -> Result<Vec<Errand>, NemesisError> {
        Ok(Vec::new())
    }
    fn requirements(&self) -> &'static [&'static [&'static str]] {
        &[]
    }
    // The proof is asked for before the injection too, when the ledger is written; only afterwards may it fail.
    fn heal<'a>(&'a self, _: &'a Cluster, _: u32, _: &'a Deed) -> BoxFuture<'a, Result<(), NemesisError>> {
        Box::pin(async { refuse(self.heal.load(Ordering::Relaxed), "heal") })
    }
}

fn deed() -> Deed {
    Deed { nodes: vec![0], what: "n1 struck".into(), ..Deed::default() }
}

/// Injects and heals once, the heal failing if `stuck`, and returns the kinds told with what is left in the ledger and the outcome.
async fn told(fault: Faulty, stuck: bool) -> (Vec<(Kind, Option<String>)>, usize, Outcome) {
    let store = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(store.path()).unwrap();
    let said = Mutex::new(Vec::new());
    let record = |kind, _, event: FaultEvent, error| {
        assert_eq!((event.id, event.nodes.as_slice()), (1, ["n1".to_owned()].as_slice()));
        said.lock().unwrap().push((kind, error));
    };
    let cluster = Cluster::new(Vec::new(), None);
    let run = Run {
        cluster: &cluster,
        names: vec!["n1".into()],
        ledger: &ledger,
        record: &record,
        began: Instant::now(),
        next_id: AtomicU32::new(1),
        active: Mutex::default(),
        outcome: Mutex::default(),
    };
    let deed = run.resolve(&fault, 1, Aim::Deed(deed())).await.expect("it is decided");
    if run.inject(&fault, 1, &deed).await {
        assert_eq!(ledger.outstanding().len(), 1, "it is in the ledger while it is in force");
        fault.heal.store(stuck, Ordering::Relaxed);
        run.heal(&fault, 1, &deed).await;
    }
    let outcome = run.outcome.into_inner().unwrap();
    (said.into_inner().unwrap(), ledger.outstanding().len(), outcome)
}

#[tokio::test]
async fn what_is_verified_is_ok() {
    let (said, left, outcome) = told(Faulty::default(), false).await;
    assert_eq!(said, [(Kind::Invoke, None), (Kind::Ok, None), (Kind::Invoke, None), (Kind::Ok, None)]);
    assert_eq!((left, outcome.injected, outcome.failed), (0, 1, 0));
}

#[tokio::test]
async fn what_is_not_verified_is_info_and_healed_all_the_same() {
    let (said, left, outcome) = told(Faulty { verify: true, ..Faulty::default() }, false).await;
    assert_eq!(said[1], (Kind::Info, Some("not verified: verify failed".into())));
    assert_eq!(said[3], (Kind::Ok, None));
    assert_eq!((left, outcome.injected), (0, 1));
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

#[tokio::test]
async fn what_two_injections_share_is_healed_with_the_later() {
    let store = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(store.path()).unwrap();
    let cluster = Cluster::new(Vec::new(), None);
    let active =
        |id, nodes: &[usize]| Active { id, fault: "faulty", deed: Deed { nodes: nodes.to_vec(), ..Deed::default() }, ending: false };
    let (first, second) = (active(1, &[0, 1]), active(2, &[1, 2]));
    let run = Run {
        cluster: &cluster,
        names: Vec::new(),
        ledger: &ledger,
        record: &|_, _, _, _| {},
        began: Instant::now(),
        next_id: AtomicU32::new(3),
        active: Mutex::new(vec![first.clone(), second.clone()]),
        outcome: Mutex::default(),
    };
    // Neither is struck in between: both heals are under way at once.
    assert_eq!(run.not_held_by_others(&Faulty::default(), 1, &first.deed).nodes, [0]);
    assert_eq!(run.not_held_by_others(&Faulty::default(), 2, &second.deed).nodes, [1, 2]);
}
