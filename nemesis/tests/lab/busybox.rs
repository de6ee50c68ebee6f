//! Faults on a node like Alpine's: BusyBox replaces the usual tools, as far as the host's BusyBox implements them.

use crate::conditions::{NO_FUSE, lacks_fuse};
use crate::network::{hide, show};
use crate::resources::lacks_cgroups;
use crate::sample::sample;
use crate::scene::{PROBE, Scene};

/// The applets of Alpine's BusyBox that the scripts use; those that the host's BusyBox lacks are skipped. `sh` is last, because it runs
/// this loop.
const APPLETS: &str = "awk sed grep cut head tail cat cp mv rm rmdir mkdir mkfifo chmod chown dd od cmp df date env expr find flock id ln ls mktemp mountpoint pgrep pkill \
                       pidof ps readlink realpath seq setsid sha256sum sleep sort stat sync tee timeout touch tr true truncate uname uniq unshare wc xargs sh";

/// The faults that are injected.
const LINES: &[&str] = &[
    "partition: {shape: {groups: [[n2], [n1, n3]]}}",
    "isolate: {targets: {nodes: [n2]}}",
    "dns: {targets: {nodes: [n2]}}",
    "loss: {targets: {nodes: [n2]}}",
    "link: {targets: {nodes: [n2]}, rate: 1mbit}",
    "link: {targets: {nodes: [n2]}, delay: 20ms}",
    "proxy: {targets: {nodes: [n2]}, port: 7001, from: all}",
    "kill: {targets: {nodes: [n2]}}",
    "pause: {targets: {nodes: [n2]}}",
    "crash_loop: {targets: {nodes: [n2]}}",
    "restart: {targets: {nodes: [n2]}}",
    "rolling: {targets: {nodes: [n2]}}",
    "cpu: {targets: {nodes: [n2]}, workers: 1}",
    "memory: {targets: {nodes: [n2]}, mib: 8}",
    "fill_disk: {targets: {nodes: [n2]}, path: /mnt/small}",
    "descriptors: {targets: {nodes: [n2]}}",
    "clock: {targets: {nodes: [n2]}, how: {bump: 1h}}",
    "timezone: {targets: {nodes: [n2]}, zone: UTC}",
    "damage: {targets: {nodes: [n2]}, files: '/var/tmp/data/*', restore: true}",
    "power_failure: {targets: {nodes: [n2]}, directory: /var/tmp/disk}",
    "disk: {targets: {nodes: [n2]}, directory: /var/tmp/disk, how: {delay: 1ms}}",
    "scenario: {flapping-link: {targets: {nodes: [n2]}, cut: 300ms, whole: 300ms}}",
    "scenario: {slow-start: {targets: {nodes: [n2]}, cut: 300ms, step: 300ms, steps: 2, whole: 300ms}}",
    "shell: {targets: {nodes: [n2]}, inject: 'touch /tmp/mark', verify: 'test -e /tmp/mark', heal: 'rm -f /tmp/mark', verify_healed: '! test -e /tmp/mark'}",
];

/// Those that require cgroups.
const LIMITS: &[&str] = &[
    "throttle: {targets: {nodes: [n2]}, cpus: 0.5}",
    "oom: {targets: {nodes: [n2]}}",
    "pids: {targets: {nodes: [n2]}, limit: 100}",
    "pause: {targets: {nodes: [n2]}, how: freezer}",
];

pub(crate) async fn faults_work_with_busybox(scene: &Scene) {
    let there = "box=$(readlink -f \"$(command -v busybox)\"); place() { readlink -f \"$(command -v $1)\"; }";
    for node in 1..=3 {
        scene.on(node, "mkdir -p /mnt/small && mount -t tmpfs -o size=8m tmpfs /mnt/small").await;
    }
    scene.on(2, "mkdir -p /var/tmp/data && echo whole >/var/tmp/data/file").await;
    let mount = format!(
        "{there}; busybox --list >/tmp/applets; for tool in {APPLETS}; do grep -qx $tool /tmp/applets && mount --bind $box $(place $tool) && echo $tool; done; true"
    );
    let mounted = scene.on(2, &mount).await.replace('\n', " ");
    assert!(mounted.ends_with("sh") && mounted.split(' ').count() > 30, "{mounted}");
    let mut lines = if lacks_cgroups(scene).await { LINES.to_vec() } else { [LINES, LIMITS].concat() };
    if lacks_fuse(scene).await {
        println!("  skipped: power_failure, disk: {NO_FUSE}");
        lines.retain(|line| !line.contains("directory:"));
    }
    for line in sample("faults with BusyBox", &lines, 12) {
        scene.while_active(line, async || {}).await;
    }
    // The routing rules are made with BusyBox's `ip` too.
    hide(scene, 2, "iptables ip6tables nft").await;
    scene.on(2, &format!("{there}; mount --bind $box $(PATH=$PATH:/sbin:/usr/sbin; place ip)")).await;
    scene
        .while_active("partition: {shape: {groups: [[n2], [n1, n3]]}}", async || {
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "silence");
        })
        .await;
    scene.on(2, &format!("{there}; umount $(PATH=$PATH:/sbin:/usr/sbin; place ip)")).await;
    show(scene, 2, "iptables ip6tables nft").await;
    scene.on(2, &format!("{there}; for tool in {mounted}; do umount -l $(place $tool); done; rm -r /tmp/applets /var/tmp/data")).await;
    for node in 1..=3 {
        scene.on(node, "umount /mnt/small; rmdir /mnt/small").await;
    }
    assert_eq!(scene.on(2, &format!("{PROBE} probe tcp 127.0.0.1 7000")).await, "ok");
}
