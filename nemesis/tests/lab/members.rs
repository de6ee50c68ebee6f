//! Members of a real etcd cluster that leave and rejoin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use elenchus_control::system::{Definition, System};
use elenchus_core::{FaultEvent, FaultPhase, Kind, Seed, Symbol};
use elenchus_nemesis::{Cluster, FaultSchedule, Ledger, Safety, Scheduled};
use tokio::sync::watch;

use crate::scene::Scene;

const ETCDCTL: &str = "ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2379 --command-timeout 30s";

pub(crate) async fn members_leave_and_rejoin(scene: &Scene) {
    let nodes = &scene.cluster.nodes;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systems/etcd.yaml");
    let definition: Definition = serde_yaml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let places: Vec<(String, String)> = nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect();
    let etcd = System::new(definition, &BTreeMap::new(), file.parent().unwrap(), &places).unwrap();
    etcd.set_up(nodes).await.unwrap();
    let cluster = Cluster::new(nodes.clone(), Some(etcd));
    scene.on(1, &format!("{ETCDCTL} put key value")).await;

    // A re-added member has a new id.
    let id = async || scene.on(1, &format!("{ETCDCTL} member list | grep '10.77.0.3:2380' | cut -d, -f1")).await;
    let members = async |node| scene.on(node, &format!("{ETCDCTL} member list | cut -d, -f2,4 | sort")).await;
    let (first, whole) = (id().await, members(1).await);
    assert_eq!(whole.lines().count(), 3, "{whole}");
    while_changed(&cluster, "membership: {targets: {nodes: [n3]}}", async || {
        for node in [1, 2] {
            assert_eq!(members(node).await.lines().count(), 2, "as n{node} sees it");
        }
        assert_eq!(scene.on(3, "pgrep -x etcd || echo none").await, "none");
        // An election may be in progress.
        scene.on(2, &format!("timeout 60 sh -c 'until {ETCDCTL} put key other; do sleep 0.2; done'")).await;
    })
    .await;
    for node in 1..=3 {
        // A new member is listed before it has published its name.
        await_view(async || members(node).await, &whole).await;
    }
    assert_eq!(scene.on(3, &format!("{ETCDCTL} get --print-value-only key")).await, "other", "it has caught up with the others");
    let second = id().await;
    assert_ne!(second, first);

    while_changed(&cluster, "membership: {targets: {nodes: [n3]}, change: replace}", async || {
        await_view(async || members(2).await, &whole).await;
        let third = id().await;
        assert!(third != second && third != first);
    })
    .await;

    let leader = async || cluster.system.as_ref().unwrap().primaries(&cluster.nodes).await;
    let before = leader().await;
    while_changed(&cluster, "membership: {targets: primary, change: demote}", async || {
        let mut now = leader().await;
        while now.is_empty() {
            now = leader().await;
        }
        assert_ne!(now, before);
    })
    .await;
    cluster.system.as_ref().unwrap().tear_down(&cluster.nodes).await.unwrap();
}

/// Waits until a node's member list is the expected one.
async fn await_view(view: impl AsyncFn() -> String, expected: &str) {
    for _ in 0..100 {
        if view().await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("{} is not {expected}", view().await);
}

/// Runs `during` while a fault is active; checks that it is verified and healed.
async fn while_changed(cluster: &Cluster, line: &str, during: impl AsyncFnOnce()) {
    let lines: Vec<Scheduled> = vec![serde_yaml::from_str(&format!("{{{line}, at: [0s], for: 1h}}")).unwrap()];
    let store = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(store.path()).unwrap();
    let safety = Safety { allow_destructive: true, ..Safety::default() };
    let campaign = FaultSchedule { lines: &lines, safety: &safety, seed: Seed(1), duration: Duration::from_secs(3600) };
    elenchus_nemesis::check(&campaign, cluster).unwrap();
    let said: Mutex<Vec<(FaultPhase, Kind, Option<String>)>> = Mutex::default();
    let (count, mut counted) = watch::channel(0);
    let record = |kind: Kind, _: Symbol, event: FaultEvent, error: Option<String>| {
        said.lock().unwrap().push((event.phase, kind, error));
        count.send_modify(|count| *count += 1);
    };
    let (stop, stopped) = watch::channel(false);
    let looking = async {
        counted.wait_for(|count| *count >= 2).await.unwrap();
        assert_eq!(said.lock().unwrap()[1].1, Kind::Ok, "{line}: {said:?}");
        during().await;
        stop.send(true).unwrap();
    };
    let (outcome, ()) = tokio::join!(elenchus_nemesis::run(cluster, campaign, &ledger, &record, &|| 0, stopped), looking);
    assert!(outcome.unwrap().unhealed.is_empty() && said.lock().unwrap()[3].1 == Kind::Ok, "{line}: {said:?}");
}
