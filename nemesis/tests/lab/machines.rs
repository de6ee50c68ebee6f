//! Machines that reboot and power off.

use std::process::{Child, Command as Process};
use std::time::Duration;

use elenchus_core::{FaultPhase, Kind};
use elenchus_nemesis::Ledger;

use crate::controller;
use crate::processes::states;
use crate::scene::{PROBE, Scene};

/// The start time of a node's first process, which identifies a boot.
const START: &str = "cut -d' ' -f22 /proc/1/stat";

/// The result of a successful TCP probe.
const OK: &str = "ok";

async fn start(scene: &Scene, node: usize) -> String {
    scene.on(node, START).await
}

/// Waits until a node accepts a new SSH connection.
async fn await_up(scene: &Scene, node: usize) {
    for _ in 0..100 {
        if scene.cluster.nodes[node - 1].host.reconnect(Duration::from_secs(5)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("n{node} does not come back");
}

/// The completions among the events.
fn ends(said: &[(FaultPhase, Kind, Option<String>)]) -> Vec<(FaultPhase, Kind, String)> {
    let over = said.iter().filter(|(_, kind, _)| *kind != Kind::Invoke);
    over.map(|(phase, kind, error)| (*phase, *kind, error.clone().unwrap_or_default())).collect()
}

/// A rebooted node keeps its disk and loses its memory: processes, and the rules of another fault, whose heal must succeed.
pub(crate) async fn rebooted_nodes_keep_only_their_disk(scene: &Scene) {
    let mut before = Vec::new();
    for node in 1..=3 {
        before.push(start(scene, node).await);
    }
    let remember = "echo kept >/var/tmp/kept && sync /var/tmp/kept; echo kept >/root/kept; echo lost >/tmp/lost; echo lost >/run/lost; \
                    setsid sleep 86398 </dev/null >/dev/null 2>&1 &";
    scene.on(2, remember).await;
    let lines = ["isolate: {targets: {nodes: [n2]}}", "reboot: {targets: {nodes: [n2]}}, after_operations: 1"];
    let restarted = scene.run_staged_faults(
        &lines,
        async || {
            while scene.probe(1, "tcp", 2, 7000).await != "silence" {}
            assert!(scene.on(2, "iptables -S | grep -ci elenchus; true").await != "0");
        },
        async || {
            await_up(scene, 2).await;
            assert_ne!(start(scene, 2).await, before[1]);
            assert_eq!(
                scene.on(2, "cat /var/tmp/kept /root/kept; hostname; ls /tmp/lost /run/lost 2>/dev/null; true").await,
                "kept\nkept\nn2"
            );
            assert_eq!(scene.on(2, "pgrep -f 'sleep 8639[8]'; iptables -S | grep -i elenchus; true").await, "");
            assert_eq!(states(scene, 2).await, "", "the system is not started before the heal");
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "refused", "the isolation did not survive the reboot");
            for node in [1, 3] {
                assert_eq!(start(scene, node).await, before[node - 1]);
                assert_ne!(states(scene, node).await, "");
            }
        },
    );
    let (said, outcome) = restarted.await.unwrap();
    let ends = ends(&said);
    assert_eq!((outcome.injected, outcome.failed, outcome.unhealed.len()), (2, 0, 0), "{said:?}");
    assert!(ends.iter().filter(|(_, kind, _)| *kind == Kind::Ok).count() == 3, "{said:?}");
    assert!(
        ends.iter().any(|(phase, kind, why)| *phase == FaultPhase::Heal && *kind == Kind::Info && why.contains("reboot 2 took n2 down")),
        "{said:?}"
    );
    assert_ne!(states(scene, 2).await, "", "the system runs again");
    scene.on(2, "rm /var/tmp/kept /root/kept").await;
}

pub(crate) async fn orderly_reboots_terminate_processes_first(scene: &Scene) {
    let before = start(scene, 3).await;
    let asked = "{name: asked, start: {command: \"trap 'echo asked >/var/tmp/asked; exit' TERM; while :; do sleep 0.1; done\"}}";
    let with_asked = scene.with_system(asked);
    let system = with_asked.cluster.system.as_ref().unwrap();
    system.start(&scene.cluster.nodes[2]).await.unwrap();
    with_asked
        .while_active("reboot: {targets: {nodes: [n3]}, orderly: true}", async || {
            await_up(scene, 3).await;
            assert_ne!(start(scene, 3).await, before);
            assert_eq!(scene.on(3, "cat /var/tmp/asked; rm /var/tmp/asked").await, "asked");
        })
        .await;
    for node in &scene.cluster.nodes {
        system.remove(node).await.unwrap();
    }
    // The reboot also ended the server of the other tests.
    scene.cluster.system.as_ref().unwrap().start(&scene.cluster.nodes[2]).await.unwrap();
}

/// Faults of all kinds that do not survive a reboot of their node.
const IN_FORCE: &[&str] = &[
    "partition: {shape: {groups: [[n2], [n1, n3]]}}, at: [0s], for: 1h",
    "dns: {targets: {nodes: [n2]}}, at: [0s], for: 1h",
    "loss: {targets: {nodes: [n2]}}, at: [0s], for: 1h",
    "link: {targets: {nodes: [n2]}, delay: 20ms}, at: [0s], for: 1h",
    "proxy: {targets: {nodes: [n2]}, port: 7001, from: all}, at: [0s], for: 1h",
    "cpu: {targets: {nodes: [n2]}, workers: 1}, at: [0s], for: 1h",
    "memory: {targets: {nodes: [n2]}, mib: 8}, at: [0s], for: 1h",
    "descriptors: {targets: {nodes: [n2]}}, at: [0s], for: 1h",
    "timezone: {targets: {nodes: [n2]}}, at: [0s], for: 1h",
    "clock: {targets: {nodes: [n2]}, how: {bump: -1h}}, at: [0s], for: 1h",
    "damage: {targets: {nodes: [n2]}, files: '/var/tmp/data/*', restore: true}, at: [0s], for: 1h",
    "reboot: {targets: {nodes: [n2]}}, at: [25s], for: 1h",
];

pub(crate) async fn active_faults_are_healed_after_a_reboot(scene: &Scene) {
    scene.on(2, "mkdir -p /var/tmp/data && echo whole >/var/tmp/data/file && sync").await;
    let (said, outcome) = scene.run_faults(IN_FORCE, async || await_up(scene, 2).await).await.unwrap();
    assert_eq!((outcome.injected as usize, outcome.failed, outcome.unhealed.len()), (IN_FORCE.len(), 0, 0), "{said:?}");
    assert!(said.iter().all(|(_, kind, _)| *kind != Kind::Fail), "{said:?}");
    let cut_short = said.iter().filter(|(_, _, why)| why.as_ref().is_some_and(|why| why.contains("took n2 down"))).count();
    assert_eq!(cut_short, IN_FORCE.len() - 1, "{said:?}");
    assert_eq!(scene.on(2, "cat /var/tmp/data/file; rm -r /var/tmp/data").await, "whole");
}

/// A node without power is silent. Faults that are due for healing wait until it is back, and no fault is injected meanwhile.
pub(crate) async fn powered_off_nodes_are_silent(scene: &Scene) {
    let before = start(scene, 2).await;
    let hold = format!(
        "mkfifo /tmp/asked && : >/tmp/heard && setsid sh -c 'exec 3<>/tmp/asked; {PROBE} probe hold {} 7000 <&3 >/tmp/heard' </dev/null >/dev/null 2>&1 & \
         while ! grep -qs connected /tmp/heard; do sleep 0.05; done",
        scene.cluster.nodes[1].address
    );
    scene.on(1, &hold).await;
    let lines = [
        "timezone: {targets: {nodes: [n2]}}, at: [0s], for: 8s",
        "power_off: {targets: {nodes: [n2]}}, after_operations: 1",
        "pause: {targets: {nodes: [n2]}}, at: [20s], for: 1s",
    ];
    let off = scene.run_staged_faults(
        &lines,
        async || while scene.on(2, "ls -d /var/lib/elenchus/timezone 2>/dev/null; true").await.is_empty() {},
        async || {
            assert!(scene.cluster.nodes[1].host.reconnect(Duration::from_secs(5)).await.is_err());
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "silence");
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, OK);
            // The kernel did not close its connections, as it does for processes that exit.
            let ask = "echo ask >/tmp/asked; while [ $(wc -l </tmp/heard) -lt 2 ]; do sleep 0.05; done; tail -n 1 /tmp/heard";
            assert_eq!(scene.on(1, ask).await, "silence");
        },
    );
    let (said, outcome) = off.await.unwrap();
    assert_eq!((outcome.injected, outcome.failed, outcome.unhealed.len()), (2, 1, 0), "{said:?}");
    let ends = ends(&said);
    assert!(ends.iter().any(|(_, kind, why)| *kind == Kind::Fail && why.contains("has taken node 2 down")), "{said:?}");
    assert_ne!(start(scene, 2).await, before);
    assert_ne!(states(scene, 2).await, "", "the system runs again");
    scene.on(1, "pkill -f 'probe hol[d]'; rm /tmp/asked /tmp/heard").await;
}

/// The faults of the control node that is killed while a node is off.
pub(crate) const OFF: &[&str] = &["{power_off: {targets: {nodes: [n1]}}, at: [0s], for: 1h}"];

pub(crate) async fn nodes_left_off_are_powered_on_by_heal(scene: &Scene) {
    let store = tempfile::tempdir().unwrap();
    controller::write_nodes(scene, store.path());
    let exe = std::env::current_exe().unwrap();
    let mut control: Child = Process::new(exe).args(["control", &store.path().to_string_lossy(), "1", "off"]).spawn().unwrap();
    let mut tries = 0;
    while scene.cluster.nodes[0].host.reconnect(Duration::from_secs(5)).await.is_ok() {
        tries += 1;
        assert!(tries < 600, "n1 was not powered off");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    control.kill().unwrap();
    control.wait().unwrap();
    let ledger = Ledger::open(store.path()).unwrap();
    assert_eq!(ledger.outstanding().len(), 1);
    let healed = elenchus_nemesis::heal_outstanding(&scene.cluster.nodes, &ledger).await;
    assert!(healed.unhealed.is_empty() && healed.healed.len() == 1 && healed.healed[0].contains("n1 switched off"), "{healed:?}");
    assert!(ledger.outstanding().is_empty());
    assert_ne!(states(scene, 1).await, "", "the system runs again");
}

pub(crate) async fn a_missing_power_on_command_is_reported_before_the_run(scene: &Scene) {
    let scene = &scene.without_power_on();
    let refused = scene.run_faults(&["power_off: {targets: {nodes: [n1]}}"], async || {}).await.unwrap_err().to_string();
    assert!(refused.contains("n1 could not be switched on again"), "{refused}");
    let mounted = "power_failure: {directory: /var/tmp/disk}";
    let refused = scene.run_faults(&["reboot: {targets: {nodes: [n1]}}", mounted], async || {}).await.unwrap_err().to_string();
    assert!(refused.contains("`reboot` would unmount the file system that `power_failure` needs"), "{refused}");
}

/// The plan's command is a template that knows its node.
pub(crate) async fn plans_can_define_the_power_on_command(scene: &Scene) {
    let before = start(scene, 3).await;
    let folder = tempfile::tempdir().unwrap();
    for (name, login) in &scene.logins {
        std::fs::write(folder.path().join(name), login.power_on.as_deref().unwrap()).unwrap();
    }
    let on = format!("sh {path}/{{{{ node }}}} && echo {{{{ node }}}} {{{{ address }}}} >>{path}/pressed", path = folder.path().display());
    let scene = &scene.without_power_on();
    scene
        .while_active(&format!("power_off: {{targets: {{nodes: [n3]}}, orderly: true, on: '{on}'}}"), async || {
            assert!(scene.cluster.nodes[2].host.reconnect(Duration::from_secs(5)).await.is_err());
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "silence");
        })
        .await;
    assert_ne!(start(scene, 3).await, before);
    let pressed = std::fs::read_to_string(folder.path().join("pressed")).unwrap();
    assert_eq!(pressed, format!("n3 {}\n", scene.cluster.nodes[2].address));
}
