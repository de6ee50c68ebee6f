//! Lines that wait for something.

use std::cell::Cell;
use std::time::Duration;

use elenchus_core::{FaultPhase, Kind};

use crate::scene::Scene;

/// A system that is no process, whose primary a file names.
const SYSTEM: &str = "{name: told, start: {command: 'sleep 86398'}, primary: 'cat /tmp/primary 2>/dev/null || true'}";

pub(crate) async fn whoever_is_primary_anew_is_struck(scene: &Scene) {
    let told = scene.with_system(SYSTEM);
    let line = "shell: {targets: primary, inject: 'touch /tmp/struck', verify: 'test -e /tmp/struck', heal: 'rm -f /tmp/struck', \
                verify_healed: '! test -e /tmp/struck'}, when: primary-changes, for: 1h";
    let primary = Cell::new(1);
    let is_struck = async |node| scene.on(node, "test -e /tmp/struck && echo yes; true").await == "yes";
    let (said, outcome) = told
        .while_staged(
            &[line],
            async || {
                scene.on(1, "echo n1 >/tmp/primary").await;
                tokio::time::sleep(Duration::from_secs(2)).await;
                assert!(!is_struck(1).await && !is_struck(2).await, "nothing has changed yet");
                // A change is missed where nobody has looked before.
                'changing: for next in [2, 1].into_iter().cycle() {
                    primary.set(next);
                    scene.on(1, &format!("echo n{next} >/tmp/primary")).await;
                    for _ in 0..50 {
                        if is_struck(next).await {
                            break 'changing;
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            },
            async || {
                assert!(is_struck(primary.get()).await && !is_struck(3 - primary.get()).await && !is_struck(3).await);
            },
        )
        .await
        .unwrap();
    let kinds: Vec<(FaultPhase, Kind)> = said.iter().map(|(phase, kind, _)| (*phase, *kind)).collect();
    let expected = [FaultPhase::Inject, FaultPhase::Heal].map(|phase| [(phase, Kind::Invoke), (phase, Kind::Ok)]).concat();
    assert_eq!((kinds, outcome.injected), (expected, 1), "{said:?}");
    scene.on(1, "rm /tmp/primary").await;
}
