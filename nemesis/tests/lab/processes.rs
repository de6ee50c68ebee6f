//! Processes that are killed, paused and restarted.

use crate::sample::sample;
use crate::scene::{PROBE, Scene};

/// The states of the server's processes on a node; empty when there are none.
pub(crate) async fn states(scene: &Scene, node: usize) -> String {
    scene
        .on(node, &format!("for pid in $(pgrep -f '{PROBE} probe serv[e]'); do cut -d' ' -f3 /proc/$pid/stat; done 2>/dev/null; true"))
        .await
}

pub(crate) async fn killed_processes_are_restarted(scene: &Scene) {
    let signals = ["KILL", "TERM", "INT", "QUIT", "HUP", "ABRT", "SEGV", "BUS", "USR1", "USR2", "ALRM", "XCPU"];
    for signal in sample("signals", &signals, 4) {
        scene
            .while_active(&format!("kill: {{targets: {{nodes: [n2]}}, signal: {signal}}}"), async || {
                assert_eq!(states(scene, 2).await, "");
                assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "refused");
                assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "ok");
            })
            .await;
        scene.await_servers().await;
    }
}

pub(crate) async fn paused_processes_do_not_answer(scene: &Scene) {
    scene
        .while_active("pause: {targets: {zone: west}}", async || {
            assert_eq!(states(scene, 3).await, "T");
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "silence");
        })
        .await;
}

/// A child that left the server's session is stopped only by the freezer.
pub(crate) async fn the_freezer_stops_daemonized_children(scene: &Scene) {
    if crate::resources::lacks_cgroups(scene).await {
        return;
    }
    let address = &scene.cluster.nodes[1].address;
    assert_eq!(scene.on(1, &format!("{PROBE} probe actions {address} 7004 1")).await, "1");
    let frozen = "grep -c . $(cut -d' ' -f2 /run/elenchus/cgroup/unified/place)/cgroup.procs; \
                  grep frozen $(cut -d' ' -f2 /run/elenchus/cgroup/unified/place)/cgroup.events; \
                  grep -q \"^$(pgrep -f 'sleep 8639[9]')$\" $(cut -d' ' -f2 /run/elenchus/cgroup/unified/place)/cgroup.procs && echo child";
    scene
        .while_active("pause: {targets: {nodes: [n2]}, how: freezer}", async || {
            assert_eq!(scene.on(2, frozen).await, "2\nfrozen 1\nchild");
            assert_ne!(states(scene, 2).await, "T", "the freezer does not change the process state");
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "silence");
        })
        .await;
    assert_eq!(
        scene.on(2, "cd /proc/$(pgrep -f 'sleep 8639[9]') && cat cgroup | grep elenchus || echo back; pkill -f 'sleep 8639[9]'").await,
        "back"
    );
}

/// n2 is paused twice: it resumes after the second pause is healed, and the first heal must not depend on it.
pub(crate) async fn overlapping_pauses_end_with_the_last(scene: &Scene) {
    let lines = ["pause: {targets: {nodes: [n1, n2]}}", "pause: {targets: {nodes: [n2, n3]}}"];
    let looked = scene.run_faults(&lines, async || {
        for node in 1..=3 {
            assert_eq!(states(scene, node).await, "T");
        }
    });
    let (said, outcome) = looked.await.unwrap();
    assert!(said.iter().all(|(_, _, error)| error.is_none()) && outcome.injected == 2, "{said:?}");
}

/// The server's pidfile, which changes with each start: PID and start time.
async fn started(scene: &Scene, node: usize) -> String {
    scene.on(node, "cat /run/elenchus/probe.pid 2>/dev/null || :").await
}

pub(crate) async fn a_crash_loop_restarts_repeatedly(scene: &Scene) {
    let before = started(scene, 2).await;
    scene
        .while_active("crash_loop: {targets: {nodes: [n2]}, lives: 300ms}", async || {
            let mut seen = std::collections::BTreeSet::from([before.clone()]);
            for _ in 0..600 {
                // The pidfile is missing between two runs.
                seen.extend(Some(started(scene, 2).await).filter(|started| !started.is_empty()));
                if seen.len() > 3 {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            panic!("only {} starts were seen", seen.len());
        })
        .await;
    let after = started(scene, 2).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(started(scene, 2).await, after, "it lives");
}

pub(crate) async fn restarted_systems_are_down_until_healed(scene: &Scene) {
    scene
        .while_active("restart: {targets: {nodes: [n3]}}", async || {
            assert_eq!(states(scene, 3).await, "");
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "refused");
        })
        .await;
}

pub(crate) async fn rolling_restarts_take_one_node_down_at_a_time(scene: &Scene) {
    let mut before = Vec::new();
    for node in 1..=3 {
        before.push(started(scene, node).await);
    }
    scene
        .while_active("rolling: {down: 1s, pause: 2s, kill: true}", async || {
            let began = std::time::Instant::now();
            while began.elapsed() < std::time::Duration::from_secs(60) {
                let mut running = 0;
                let mut again = 0;
                for node in 1..=3 {
                    let is_up = !states(scene, node).await.is_empty();
                    running += u32::from(is_up);
                    again += u32::from(is_up && started(scene, node).await != before[node - 1]);
                }
                assert!(running >= 2, "{running} of 3 run");
                if again == 3 {
                    return;
                }
            }
            panic!("some nodes were not restarted");
        })
        .await;
}
