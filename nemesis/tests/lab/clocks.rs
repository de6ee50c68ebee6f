//! Changed clocks, as seen from other nodes.

use std::time::{Duration, Instant};

use elenchus_core::Seed;
use elenchus_nemesis::{Armed, FaultSchedule, Ledger, RemoteScript, Safety};

use crate::scene::Scene;

/// The offset of the clock of a node's server from another node's clock, in seconds.
pub(crate) async fn ahead(scene: &Scene, node: usize, from: usize) -> i64 {
    let said = scene.on(from, &format!("{} probe ahead {}", crate::scene::PROBE, scene.cluster.nodes[node - 1].address)).await;
    said.parse().unwrap_or_else(|_| panic!("n{node} reports no time: {said}"))
}

/// The tolerance for slow test machines, in seconds; the changes are much larger.
const SLACK: i64 = 60;

async fn assert_ahead(scene: &Scene, expected: [i64; 3]) {
    for (node, expected) in (1..=3).zip(expected) {
        let ahead = ahead(scene, node, 1).await;
        assert!((ahead - expected).abs() < SLACK, "n{node} is {ahead} s ahead, not {expected}");
    }
}

pub(crate) async fn only_the_systems_clock_changes(scene: &Scene) {
    scene
        .while_active("clock: {targets: {nodes: [n2, n3]}, how: {bump: -1h}}", async || {
            assert_ahead(scene, [0, -3600, -3600]).await;
            let own: i64 = scene.on(2, "date +%s").await.parse().unwrap();
            let ours: i64 = scene.on(1, "date +%s").await.parse().unwrap();
            assert!((own - ours).abs() < SLACK, "the node's own clock must not change");
            assert_eq!(scene.on(2, "ls /var/lib/elenchus/agent-* | wc -l").await, "1");
        })
        .await;
    assert_ahead(scene, [0, 0, 0]).await;
    assert_eq!(scene.on(2, "ls /var/lib/elenchus/agent-* 2>/dev/null | wc -l").await, "0", "the agent is removed");
}

pub(crate) async fn restarted_systems_keep_the_changed_clock(scene: &Scene) {
    let (system, node) = (scene.cluster.system.as_ref().unwrap(), &scene.cluster.nodes[1]);
    scene
        .while_active("clock: {targets: {nodes: [n2]}, how: {jump: '2030-01-01T00:00:00Z'}}", async || {
            let before = ahead(scene, 2, 1).await;
            assert!(before > 86_400 * 365, "{before}");
            system.kill(node).await.unwrap();
            system.start(node).await.unwrap();
            scene.await_servers().await;
            let began = Instant::now();
            while (ahead(scene, 2, 1).await - before).abs() > SLACK {
                assert!(began.elapsed() < Duration::from_secs(30), "the clock of the restarted system is not changed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    assert_ahead(scene, [0, 0, 0]).await;
}

/// A lab's nodes share this machine's clock, which must not be set: the run is refused.
pub(crate) async fn the_machines_clock_is_never_set_in_a_lab(scene: &Scene) {
    let lines = [serde_yaml::from_str("{clock: {targets: all, of: machine, how: {bump: 1s}}, at: [0s], for: 1s}").unwrap()];
    let (safety, seed) = (Safety::default(), Seed(1));
    let campaign = FaultSchedule { lines: &lines, safety: &safety, seed, duration: Duration::from_secs(60) };
    let refused = elenchus_nemesis::prepare(&campaign, &scene.cluster).await.unwrap_err().to_string();
    assert!(refused.contains("n2: this node shares the clock of the control node"), "{refused}");
}

/// As after a crash when the agent was removed meanwhile: `elenchus heal` uploads it, uses it and removes it.
pub(crate) async fn a_later_heal_uploads_the_agent(scene: &Scene) {
    let agents = "ls /var/lib/elenchus/agent-* 2>/dev/null; :";
    let mut agent = String::new();
    scene
        .while_active("clock: {targets: {nodes: [n1]}, how: {bump: 1h}}", async || {
            agent = scene.on(1, agents).await;
        })
        .await;
    assert_eq!(scene.on(1, agents).await, "");
    let store = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(store.path()).unwrap();
    let order = |order: &str| vec![RemoteScript::new("n1", format!("{agent} clock {order} 77"))];
    let armed = Armed { id: 77, fault: "clock".into(), what: "n1".into(), inverse: order("end"), proof: order("verify-ended") };
    ledger.record(armed).unwrap();
    let healed = elenchus_nemesis::heal_outstanding(&scene.cluster.nodes, &ledger).await;
    assert_eq!((healed.healed.len(), healed.unhealed.len(), ledger.outstanding().len()), (1, 0, 0));
    assert_eq!(scene.on(1, agents).await, "");
}

pub(crate) async fn clocks_can_drift_freeze_and_strobe(scene: &Scene) {
    scene
        .while_active("clock: {targets: {nodes: [n1]}, how: {drift: 500}}", async || {
            let began = Instant::now();
            while ahead(scene, 1, 1).await < 1000 {
                assert!(began.elapsed() < Duration::from_secs(60), "the clock gains too little");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            assert!(began.elapsed() > Duration::from_secs(1), "the clock gains too much");
        })
        .await;
    scene
        .while_active("clock: {targets: {nodes: [n1]}, how: freeze}", async || {
            let first = ahead(scene, 1, 1).await;
            tokio::time::sleep(Duration::from_secs(3)).await;
            assert!(ahead(scene, 1, 1).await <= first - 2);
        })
        .await;
    // A strobe: a reading can show either state.
    scene
        .while_active("clock: {targets: {nodes: [n1]}, how: {strobe: {by: 2h, every: 300ms}}}", async || {
            let (began, mut seen) = (Instant::now(), [false; 2]);
            while seen != [true; 2] {
                assert!(began.elapsed() < Duration::from_secs(60), "only one state was seen: {seen:?}");
                let ahead = ahead(scene, 1, 1).await;
                assert!(ahead.abs() < SLACK || (ahead - 7200).abs() < SLACK, "{ahead} s");
                seen[usize::from(ahead > 3600)] = true;
                tokio::time::sleep(Duration::from_millis(70)).await;
            }
        })
        .await;
    assert_ahead(scene, [0, 0, 0]).await;
}

/// The UTC offset and the time zone's name that a new program shows.
async fn zone(scene: &Scene, node: usize) -> String {
    scene.on(node, "env -u TZ date '+%z %Z'; cat /etc/timezone 2>/dev/null || true").await
}

pub(crate) async fn time_zones_can_be_changed(scene: &Scene) {
    if scene.on(1, "ls /usr/share/zoneinfo/Pacific/Kiritimati 2>/dev/null || true").await.is_empty() {
        println!("skipped: tzdata is not installed");
        return;
    }
    let before = [zone(scene, 1).await, zone(scene, 2).await];
    scene
        .while_active("timezone: {targets: {nodes: [n2]}, zone: Pacific/Kiritimati}", async || {
            assert!(zone(scene, 2).await.starts_with("+1400 +14"), "{}", zone(scene, 2).await);
            assert_eq!(zone(scene, 1).await, before[0]);
        })
        .await;
    assert_eq!(zone(scene, 2).await, before[1]);
    // A missing file must stay missing after the heal.
    scene.on(2, "mv /etc/localtime /etc/localtime.away; mv /etc/timezone /etc/timezone.away 2>/dev/null; true").await;
    scene
        .while_active("timezone: {targets: {nodes: [n2]}, zone: Asia/Kathmandu}", async || {
            assert!(zone(scene, 2).await.starts_with("+0545"));
        })
        .await;
    scene
        .on(2, "[ ! -e /etc/localtime ] && mv /etc/localtime.away /etc/localtime; mv /etc/timezone.away /etc/timezone 2>/dev/null; true")
        .await;
    assert_eq!(zone(scene, 2).await, before[1]);
    let error = scene.run_faults(&["timezone: {zone: Moon/Tranquillity}"], async || {}).await.unwrap_err();
    assert!(error.to_string().contains("the time zone Moon/Tranquillity is not in"), "{error}");
}
