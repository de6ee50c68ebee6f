//! Clocks that are wrong, as others see them.

use std::time::{Duration, Instant};

use elenchus_core::Seed;
use elenchus_nemesis::{Armed, FaultSchedule, Ledger, RemoteScript, Safety};

use crate::scene::Scene;

/// How many seconds the clock of a node's server is ahead of another node's own.
pub(crate) async fn ahead(scene: &Scene, node: usize, from: usize) -> i64 {
    let said = scene.on(from, &format!("{} probe ahead {}", crate::scene::PROBE, scene.cluster.nodes[node - 1].address)).await;
    said.parse().unwrap_or_else(|_| panic!("n{node} tells no time: {said}"))
}

/// Machines that run tests are slow: clocks are made much more wrong than this, in seconds.
const SLACK: i64 = 60;

async fn assert_ahead(scene: &Scene, expected: [i64; 3]) {
    for (node, expected) in (1..=3).zip(expected) {
        let ahead = ahead(scene, node, 1).await;
        assert!((ahead - expected).abs() < SLACK, "n{node} is {ahead} s ahead, not {expected}");
    }
}

pub(crate) async fn the_systems_clock_is_wrong_and_nobody_elses(scene: &Scene) {
    scene
        .while_broken("clock: {targets: {nodes: [n2, n3]}, how: {bump: -1h}}", async || {
            assert_ahead(scene, [0, -3600, -3600]).await;
            let own: i64 = scene.on(2, "date +%s").await.parse().unwrap();
            let ours: i64 = scene.on(1, "date +%s").await.parse().unwrap();
            assert!((own - ours).abs() < SLACK, "the node's own clock is right");
            assert_eq!(scene.on(2, "ls /var/lib/elenchus/agent-* | wc -l").await, "1");
        })
        .await;
    assert_ahead(scene, [0, 0, 0]).await;
    assert_eq!(scene.on(2, "ls /var/lib/elenchus/agent-* 2>/dev/null | wc -l").await, "0", "the helper is removed");
}

pub(crate) async fn a_system_that_comes_back_has_the_same_clock(scene: &Scene) {
    let (system, node) = (scene.cluster.system.as_ref().unwrap(), &scene.cluster.nodes[1]);
    scene
        .while_broken("clock: {targets: {nodes: [n2]}, how: {jump: '2030-01-01T00:00:00Z'}}", async || {
            let before = ahead(scene, 2, 1).await;
            assert!(before > 86_400 * 365, "{before}");
            system.kill(node).await.unwrap();
            system.start(node).await.unwrap();
            scene.await_servers().await;
            let began = Instant::now();
            while (ahead(scene, 2, 1).await - before).abs() > SLACK {
                assert!(began.elapsed() < Duration::from_secs(30), "its clock is right again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    assert_ahead(scene, [0, 0, 0]).await;
}

/// The lab's nodes have this machine's clock, which nothing may set: it is refused before anything is done.
pub(crate) async fn the_machines_clock_is_never_set_in_a_lab(scene: &Scene) {
    let lines = [serde_yaml::from_str("{clock: {targets: all, of: machine, how: {bump: 1s}}, at: [0s], for: 1s}").unwrap()];
    let (safety, seed) = (Safety::default(), Seed(1));
    let campaign = FaultSchedule { lines: &lines, safety: &safety, seed, duration: Duration::from_secs(60) };
    let refused = elenchus_nemesis::prepare(&campaign, &scene.cluster).await.unwrap_err().to_string();
    assert!(refused.contains("n2: this node shares the clock of the control node"), "{refused}");
}

/// As after a crash, when somebody has removed the helper meanwhile: `elenchus heal` brings it, uses it, and takes it away.
pub(crate) async fn who_heals_later_brings_the_helper(scene: &Scene) {
    let helpers = "ls /var/lib/elenchus/agent-* 2>/dev/null; :";
    let mut helper = String::new();
    scene
        .while_broken("clock: {targets: {nodes: [n1]}, how: {bump: 1h}}", async || {
            helper = scene.on(1, helpers).await;
        })
        .await;
    assert_eq!(scene.on(1, helpers).await, "");
    let store = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(store.path()).unwrap();
    let order = |order: &str| vec![RemoteScript::new("n1", format!("{helper} clock {order} 77"))];
    let armed = Armed { id: 77, fault: "clock".into(), what: "n1".into(), inverse: order("end"), proof: order("verify-ended") };
    ledger.record(armed).unwrap();
    let healed = elenchus_nemesis::heal_outstanding(&scene.cluster.nodes, &ledger).await;
    assert_eq!((healed.healed.len(), healed.unhealed.len(), ledger.outstanding().len()), (1, 0, 0));
    assert_eq!(scene.on(1, helpers).await, "");
}

pub(crate) async fn clocks_may_be_fast_or_frozen(scene: &Scene) {
    scene
        .while_broken("clock: {targets: {nodes: [n1]}, how: {drift: 500}}", async || {
            let began = Instant::now();
            while ahead(scene, 1, 1).await < 1000 {
                assert!(began.elapsed() < Duration::from_secs(60), "it gains too little");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert!(began.elapsed() > Duration::from_secs(1), "it gains too much");
        })
        .await;
    scene
        .while_broken("clock: {targets: {nodes: [n1]}, how: freeze}", async || {
            let first = ahead(scene, 1, 1).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(ahead(scene, 1, 1).await <= first - 2);
        })
        .await;
    // It jumps to and fro, and every look may be at either end.
    scene
        .while_broken("clock: {targets: {nodes: [n1]}, how: {strobe: {by: 2h, every: 300ms}}}", async || {
            let (began, mut seen) = (Instant::now(), [false; 2]);
            while seen != [true; 2] {
                assert!(began.elapsed() < Duration::from_secs(60), "it was seen at one end alone: {seen:?}");
                let ahead = ahead(scene, 1, 1).await;
                assert!(ahead.abs() < SLACK || (ahead - 7200).abs() < SLACK, "{ahead} s");
                seen[usize::from(ahead > 3600)] = true;
                tokio::time::sleep(Duration::from_millis(70)).await;
            }
        })
        .await;
    assert_ahead(scene, [0, 0, 0]).await;
}

/// What a program shows that is started on a node: its offset from UTC and the time zone's name.
async fn zone(scene: &Scene, node: usize) -> String {
    scene.on(node, "env -u TZ date '+%z %Z'; cat /etc/timezone 2>/dev/null || true").await
}

pub(crate) async fn a_node_may_be_in_another_time_zone(scene: &Scene) {
    if scene.on(1, "ls /usr/share/zoneinfo/Pacific/Kiritimati 2>/dev/null || true").await.is_empty() {
        println!("skipped: tzdata is not installed");
        return;
    }
    let before = [zone(scene, 1).await, zone(scene, 2).await];
    scene
        .while_broken("timezone: {targets: {nodes: [n2]}, zone: Pacific/Kiritimati}", async || {
            assert!(zone(scene, 2).await.starts_with("+1400 +14"), "{}", zone(scene, 2).await);
            assert_eq!(zone(scene, 1).await, before[0]);
        })
        .await;
    assert_eq!(zone(scene, 2).await, before[1]);
    // Where there was no file, there is none afterwards.
    scene.on(2, "mv /etc/localtime /etc/localtime.away; mv /etc/timezone /etc/timezone.away 2>/dev/null; true").await;
    scene
        .while_broken("timezone: {targets: {nodes: [n2]}, zone: Asia/Kathmandu}", async || {
            assert!(zone(scene, 2).await.starts_with("+0545"));
        })
        .await;
    scene
        .on(2, "[ ! -e /etc/localtime ] && mv /etc/localtime.away /etc/localtime; mv /etc/timezone.away /etc/timezone 2>/dev/null; true")
        .await;
    assert_eq!(zone(scene, 2).await, before[1]);
    let error = scene.while_injected(&["timezone: {zone: Moon/Tranquillity}"], async || {}).await.unwrap_err();
    assert!(error.to_string().contains("the time zone Moon/Tranquillity is not in"), "{error}");
}
