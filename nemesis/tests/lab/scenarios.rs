//! Scenarios: predefined compositions of faults.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::clocks::ahead;
use crate::processes::states;
use crate::scene::{PROBE, Scene};

/// The time-out for every wait.
const LONG: Duration = Duration::from_secs(60);

/// Probes until the given result.
async fn until(scene: &Scene, (from, to): (usize, usize), answer: &str) {
    let begun = Instant::now();
    while scene.probe(from, "tcp", to, 7000).await != answer {
        assert!(begun.elapsed() < LONG, "n{from} to n{to} never became `{answer}`");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn send_only_nodes_are_heard(scene: &Scene) {
    let count = "nft add table ip t && nft add chain ip t c '{type filter hook input priority -400;}' && nft add rule ip t c udp dport 7000 counter";
    scene.on(2, count).await;
    scene
        .while_active("scenario: {send-only: {targets: {nodes: [n1]}}}", async || {
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0", "n1 receives no answers");
            let heard = scene.on(2, "nft list chain ip t c | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'").await;
            assert_eq!(heard, "400", "n2 receives all its questions");
            assert_eq!(scene.probe(3, "tcp", 2, 7000).await, "ok");
        })
        .await;
    scene.on(2, "nft delete table ip t").await;
}

pub(crate) async fn only_health_checks_are_answered(scene: &Scene) {
    scene
        .while_active("scenario: {health-checks-only: {targets: {nodes: [n3]}, ports: [7001]}}", async || {
            assert_eq!(scene.probe(1, "tcp", 3, 7001).await, "ok");
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "silence");
            assert_eq!(scene.probe(3, "tcp", 1, 7000).await, "silence");
        })
        .await;
}

pub(crate) async fn late_wakers_wake_isolated(scene: &Scene) {
    // The clock is as old as the process' knowledge.
    scene
        .while_active("scenario: {late-wakers: {targets: {nodes: [n2]}, asleep: 5m}}", async || {
            assert_eq!(states(scene, 2).await, "T");
            scene.on(2, &format!("kill -CONT $(pgrep -f '{PROBE} probe serv[e]')")).await;
            let behind = -ahead(scene, 2, 2).await;
            assert!((200..400).contains(&behind), "{behind} s");
        })
        .await;
    scene
        .while_active("scenario: {late-wakers: {targets: {nodes: [n2]}, asleep: 20s, old_clock: false}}", async || {
            assert_eq!(states(scene, 2).await, "T");
            for _ in 0..600 {
                if states(scene, 2).await != "T" {
                    assert_eq!(scene.probe(2, "tcp", 2, 7000).await, "ok", "the process has resumed");
                    assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "silence", "it is still cut off from the others");
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("it never resumed");
        })
        .await;
}

pub(crate) async fn links_flap(scene: &Scene) {
    for line in [
        "flapping-link: {targets: {nodes: [n1]}, cut: 5s, whole: 5s}",
        "flaky-network: {targets: {nodes: [n1]}, share: 0.01, cut: 5s, whole: 5s}",
    ] {
        scene
            .while_active(&format!("scenario: {{{line}}}"), async || {
                for answer in ["silence", "ok", "silence"] {
                    until(scene, (1, 2), answer).await;
                }
            })
            .await;
    }
}

/// One megabyte takes a minute at the first rate, four seconds at the last.
pub(crate) async fn slow_start_raises_the_rate(scene: &Scene) {
    let line = "scenario: {slow-start: {targets: {nodes: [n1]}, cut: 3s, slowest: 128kbit, steps: 5, step: 4s, whole: 4s}}";
    scene
        .while_active(line, async || {
            until(scene, (1, 2), "silence").await;
            until(scene, (1, 2), "ok").await;
            let rates = "tc class show dev eth0 | sed -n 's/.* rate \\([0-9]*\\)[KM]bit.*/\\1/p' | sort -n | head -n 1";
            let (begun, mut seen) = (Instant::now(), Vec::new());
            while seen.len() < 3 && begun.elapsed() < LONG {
                let rate: u32 = scene.on(1, rates).await.parse().unwrap_or_default();
                if rate > 0 && seen.last().is_none_or(|last| rate > *last) {
                    seen.push(rate);
                }
            }
            assert!(seen.len() >= 3 && [128, 256, 512, 1024, 2048].iter().any(|rate| seen.contains(rate)), "{seen:?}");
            until(scene, (1, 2), "silence").await;
        })
        .await;
}

pub(crate) async fn rolling_pauses_stop_one_node_at_a_time(scene: &Scene) {
    scene
        .while_active("scenario: {rolling-pause: {asleep: 2s, awake: 1s}}", async || {
            let mut seen = BTreeSet::new();
            let begun = Instant::now();
            while begun.elapsed() < LONG {
                let mut paused = Vec::new();
                for node in 1..=3 {
                    paused.extend((states(scene, node).await == "T").then_some(node));
                }
                assert!(paused.len() < 2, "{paused:?} at once");
                seen.extend(paused);
                if seen.len() == 3 {
                    return;
                }
            }
            panic!("only {seen:?} were paused");
        })
        .await;
}

pub(crate) async fn swizzle_cuts_all_nodes_off_and_back(scene: &Scene) {
    scene
        .while_active("scenario: {swizzle: {targets: all, step: 6s}}", async || {
            for node in 1..=3 {
                // Each node stays cut off until all are.
                until(scene, (node, node % 3 + 1), "silence").await;
            }
            for node in 1..=3 {
                until(scene, (node, node % 3 + 1), "ok").await;
            }
        })
        .await;
}
