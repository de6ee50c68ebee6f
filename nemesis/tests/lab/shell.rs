//! The plan's own commands, and requirements that are checked before the run.

use elenchus_core::{FaultPhase, Kind};

use crate::scene::Scene;

const MARK: &str = "inject: 'echo $ELENCHUS_NODE $ELENCHUS_ID >/tmp/mark', verify: 'test -e /tmp/mark', heal: 'rm -f /tmp/mark', \
                    verify_healed: '! test -e /tmp/mark'";

pub(crate) async fn commands_inject_and_heal(scene: &Scene) {
    scene
        .while_active(&format!("shell: {{targets: {{nodes: [n1, n3]}}, {MARK}}}"), async || {
            assert_eq!(scene.on(1, "cat /tmp/mark").await, "n1 1");
            assert_eq!(scene.on(3, "cat /tmp/mark").await, "n3 1");
            assert_eq!(scene.on(2, "ls /tmp/mark 2>/dev/null || echo none").await, "none");
        })
        .await;
    assert_eq!(scene.on(1, "ls /tmp/mark 2>/dev/null || echo none").await, "none");
}

pub(crate) async fn failed_verifications_are_reported(scene: &Scene) {
    let line =
        "shell: {targets: {nodes: [n1]}, inject: 'true', verify: 'echo it is not so >&2; false', heal: 'true', verify_healed: 'true'}";
    let (said, outcome) = scene.run_faults(&[line], async || {}).await.unwrap();
    assert!(matches!(&said[1], (FaultPhase::Inject, Kind::Info, Some(why)) if why.contains("it is not so")), "{said:?}");
    assert!(matches!(&said[3], (FaultPhase::Heal, Kind::Ok, None)), "{said:?}");
    assert_eq!(outcome.injected, 1);
    // A failed injection is undone and counts as failed.
    let failing = "shell: {targets: {nodes: [n1]}, inject: 'touch /tmp/mark; echo no luck >&2; exit 3', verify: 'true', heal: 'rm -f /tmp/mark', \
                   verify_healed: '! test -e /tmp/mark'}";
    let (said, outcome) = scene.run_faults(&[failing], async || {}).await.unwrap();
    assert!(matches!(&said[1], (FaultPhase::Inject, Kind::Fail, Some(why)) if why.contains("no luck")), "{said:?}");
    assert_eq!((said.len(), outcome.injected, outcome.failed), (2, 0, 1));
    assert_eq!(scene.on(1, "ls /tmp/mark 2>/dev/null || echo none").await, "none");
}

pub(crate) async fn missing_requirements_are_reported_before_the_run(scene: &Scene) {
    let line = format!("shell: {{targets: one, {MARK}, requires: 'command -v no-such-command'}}");
    let error = scene.run_faults(&[&line], async || unreachable!("the run must not start")).await.unwrap_err().to_string();
    for node in ["n1", "n2", "n3"] {
        assert!(error.contains(&format!("{node}: the plan's command `requires` fails: command -v no-such-command")), "{error}");
    }
}

/// A command that ignores signals is killed when its time is over, and with it the commands that would follow.
pub(crate) async fn unfinished_injections_are_killed_before_the_heal(scene: &Scene) {
    let late = "shell: {targets: {nodes: [n1]}, within: 1s, inject: 'trap \"\" TERM; sleep 9; touch /tmp/mark', verify: 'true', \
                heal: 'rm -f /tmp/mark', verify_healed: '! test -e /tmp/mark'}";
    let over = tokio::time::Instant::now() + std::time::Duration::from_secs(12);
    let (said, outcome) = scene.run_faults(&[late], async || {}).await.unwrap();
    assert!(matches!(&said[1], (FaultPhase::Inject, Kind::Fail, Some(why)) if why.contains("6s")), "{said:?}");
    assert_eq!((said.len(), outcome.injected, outcome.failed), (2, 0, 1));
    tokio::time::sleep_until(over).await;
    assert_eq!(scene.on(1, "ls /tmp/mark 2>/dev/null || echo none").await, "none");
}
