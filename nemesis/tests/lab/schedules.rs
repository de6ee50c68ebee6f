//! Faults that wait for a condition.

use std::cell::Cell;
use std::time::Duration;

use elenchus_core::{FaultPhase, Kind};

use crate::scene::Scene;

/// A placeholder system whose primary is named by a file.
const SYSTEM: &str = "{name: placeholder, start: {command: 'sleep 86398'}, primary: 'cat /tmp/primary 2>/dev/null || true'}";

pub(crate) async fn a_new_primary_is_targeted(scene: &Scene) {
    let system = scene.with_system(SYSTEM);
    let line = "shell: {targets: primary, inject: 'touch /tmp/targeted', verify: 'test -e /tmp/targeted', heal: 'rm -f /tmp/targeted', \
                verify_healed: '! test -e /tmp/targeted'}, when: primary-changes, for: 1h";
    let primary = Cell::new(1);
    let is_targeted = async |node| scene.on(node, "test -e /tmp/targeted && echo yes; true").await == "yes";
    let (said, outcome) = system
        .run_staged_faults(
            &[line],
            async || {
                scene.on(1, "echo n1 >/tmp/primary").await;
                tokio::time::sleep(Duration::from_secs(2)).await;
                assert!(!is_targeted(1).await && !is_targeted(2).await, "the primary has not changed yet");
                // A change before the first poll goes unnoticed, so the primary changes repeatedly.
                'changing: for next in [2, 1].into_iter().cycle() {
                    primary.set(next);
                    scene.on(1, &format!("echo n{next} >/tmp/primary")).await;
                    for _ in 0..50 {
                        if is_targeted(next).await {
                            break 'changing;
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            },
            async || {
                assert!(is_targeted(primary.get()).await && !is_targeted(3 - primary.get()).await && !is_targeted(3).await);
            },
        )
        .await
        .unwrap();
    let kinds: Vec<(FaultPhase, Kind)> = said.iter().map(|(phase, kind, _)| (*phase, *kind)).collect();
    let expected = [FaultPhase::Inject, FaultPhase::Heal].map(|phase| [(phase, Kind::Invoke), (phase, Kind::Ok)]).concat();
    assert_eq!((kinds, outcome.injected), (expected, 1), "{said:?}");
    scene.on(1, "rm /tmp/primary").await;
}
