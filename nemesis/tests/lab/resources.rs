//! Nodes that run out of a resource.

use std::time::Duration;

use crate::network::{hide, show};
use crate::scene::{PROBE, Scene};

/// Whether no cgroups can be created on the nodes; prints that tests are skipped.
pub(crate) async fn lacks_cgroups(scene: &Scene) -> bool {
    let attempt = "read -r lab </run/elenchus/lab; try=/run/try/elenchus-$lab.try; \
                   mkdir -p /run/try && mount -t cgroup2 cgroup /run/try && mkdir $try && rmdir $try; failed=$?; umount /run/try; exit $failed";
    let tried = scene.cluster.nodes[0].host.output(elenchus_control::Command::sh(attempt)).await.unwrap();
    if !tried.status.is_success() {
        let is_root = scene.on(1, "while read -r _ _ count; do echo $count; done </proc/self/uid_map").await == "4294967295";
        let why = if is_root { "skipped" } else { "without root" };
        println!("  {why}: no cgroups can be created on the nodes: {}", tried.tail());
    }
    !tried.status.is_success()
}

/// Creates and mounts a small disk of a node's own.
pub(crate) const DISK: &str =
    "mkdir -p /mnt/disk && truncate -s 32M /tmp/image && mkfs.ext4 -q /tmp/image && mount -o loop /tmp/image /mnt/disk";

/// Finds the server's cgroup.
const GROUP: &str = "group=$(cut -d' ' -f2 /run/elenchus/cgroup/*/place)";

pub(crate) async fn cpu_load_uses_processor_time(scene: &Scene) {
    // The processor time of the job's processes, in clock ticks.
    let ticks = "cat $(pgrep -s $(cut -d' ' -f1 /run/elenchus/jobs/cpu-1.pid) | sed 's|.*|/proc/&/stat|') | awk '{ s += $14 + $15 } END { print s }'";
    scene
        .while_active("cpu: {targets: {nodes: [n1]}, workers: 3}", async || {
            let before: u64 = scene.on(1, ticks).await.parse().unwrap();
            for _ in 0..100 {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                if scene.on(1, ticks).await.parse::<u64>().unwrap() > before + 20 {
                    return;
                }
            }
            panic!("the job's processes used no processor time");
        })
        .await;
    assert_eq!(scene.on(1, "ls /run/elenchus/jobs").await, "");
}

pub(crate) async fn memory_is_allocated(scene: &Scene) {
    scene
        .while_active("memory: {targets: {nodes: [n2]}, mib: 64}", async || {
            let held = "cat /proc/[0-9]*/status 2>/dev/null | awk '/^VmRSS:/ && $2 > 60000 { n++ } END { print n + 0 }'";
            assert!(scene.on(2, held).await.parse::<u32>().unwrap() >= 1);
        })
        .await;
    assert_eq!(scene.on(2, "pgrep -x tail || echo none").await, "none");
}

pub(crate) async fn a_full_disk_rejects_writes(scene: &Scene) {
    for node in 1..=3 {
        scene.on(node, "mkdir -p /mnt/small && mount -t tmpfs -o size=8m tmpfs /mnt/small").await;
    }
    let write = "if head -c 100000 /dev/zero 2>/dev/null >/mnt/small/x; then echo written; else echo full; fi; rm -f /mnt/small/x";
    assert_eq!(scene.on(1, write).await, "written");
    scene
        .while_active("fill_disk: {targets: {nodes: [n1]}, path: /mnt/small}", async || {
            assert_eq!(scene.on(1, write).await, "full");
        })
        .await;
    assert_eq!(scene.on(1, write).await, "written");
    // Without fallocate every byte is written.
    hide(scene, 1, "fallocate").await;
    scene
        .while_active("fill_disk: {targets: {nodes: [n1]}, path: /mnt/small, leave_kib: 2048}", async || {
            let free: u32 = scene.on(1, "df -Pk /mnt/small | awk 'NR == 2 { print $4 }'").await.parse().unwrap();
            assert!((1024..=3072).contains(&free), "{free} KiB");
            assert_eq!(scene.on(1, write).await, "written", "the free space is usable");
        })
        .await;
    show(scene, 1, "fallocate").await;
    for node in 1..=3 {
        assert_eq!(scene.on(node, "ls -A /mnt/small; umount /mnt/small; rmdir /mnt/small").await, "");
    }
    let lines = ["fill_disk: {targets: {nodes: [n1]}, path: /mnt/small}"];
    let error = scene.run_faults(&lines, async || unreachable!("the run must not start")).await.unwrap_err();
    assert!(error.to_string().contains("n1: the directory /mnt/small does not exist"), "{error}");
}

pub(crate) async fn descriptor_limits_prevent_opening(scene: &Scene) {
    let limit = format!(
        "for pid in $(pgrep -f '{PROBE} probe serv[e]'); do sed -n 's/^Max open files *\\([^ ]*\\) .*/\\1/p' /proc/$pid/limits; done"
    );
    let before = scene.on(3, &limit).await;
    scene
        .while_active("descriptors: {targets: {nodes: [n3]}, limit: 4}", async || {
            assert_eq!(scene.on(3, &limit).await, "4");
            // The server has more than four descriptors open. The kernel completes connections that the server cannot accept; the first two
            // probes may still get descriptors that were freed.
            scene.probe(1, "tcp", 3, 7000).await;
            scene.probe(1, "tcp", 3, 7000).await;
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "silence");
        })
        .await;
    assert_eq!(scene.on(3, &limit).await, before);
}

pub(crate) async fn a_throttled_server_gets_its_cpu_share(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    // The server's processor time in clock ticks, and the uptime in hundredths of a second.
    let ticks =
        format!("awk '{{ print $14 + $15 }}' /proc/$(pgrep -f '{PROBE} probe serv[e]')/stat; tr -d . </proc/uptime | cut -d' ' -f1");
    let spent = async || -> Vec<f64> { scene.on(2, &ticks).await.lines().map(|line| line.parse().unwrap()).collect() };
    let throttled = format!("{GROUP}; sed -n 's/^nr_throttled //p' $group/cpu.stat");
    scene
        .while_active("throttle: {targets: {nodes: [n2]}, cpus: 0.02}", async || {
            // Several clients at a time: one alone needs hardly more than the server's share.
            let clients = format!(
                "for client in 1 2 3 4; do ( timeout 600 sh -c 'while :; do {PROBE} probe bytes {} 7000; done' </dev/null >/dev/null 2>&1 & ); done",
                scene.cluster.nodes[1].address
            );
            let before = spent().await;
            scene.on(1, &clients).await;
            while scene.on(2, &throttled).await.parse::<u32>().unwrap() < 10 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let after = spent().await;
            scene.on(1, "pkill -f 'probe byte[s]'; true").await;
            let share = (after[0] - before[0]) / (after[1] - before[1]);
            assert!(share < 0.1, "it used {share} of a processor");
        })
        .await;
}

pub(crate) async fn exceeding_the_memory_limit_kills(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    scene
        .while_active("oom: {targets: {nodes: [n3]}, mib: 16}", async || {
            assert_eq!(scene.on(1, &format!("{PROBE} probe actions {} 7002 8", scene.cluster.nodes[2].address)).await, "8");
            let done: u32 =
                scene.on(1, &format!("{PROBE} probe actions {} 7002 32", scene.cluster.nodes[2].address)).await.parse().unwrap();
            assert!(done < 10, "{done} MiB more were allocated");
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "refused");
        })
        .await;
    scene.await_servers().await;
    assert_eq!(scene.on(1, &format!("{PROBE} probe actions {} 7002 32", scene.cluster.nodes[2].address)).await, "32");
}

pub(crate) async fn pid_limits_prevent_new_threads(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
    scene
        .while_active("pids: {targets: {nodes: [n1]}}", async || {
            assert_ne!(scene.probe(2, "tcp", 1, 7000).await, "ok", "each connection requires a thread");
            assert_eq!(scene.probe(2, "udp", 1, 7000).await, "400", "running threads continue");
        })
        .await;
    assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
}

/// Two limits share one cgroup if their controllers are in the same hierarchy; healing one must not affect the other.
pub(crate) async fn limits_are_healed_independently(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    let before = scene.on(1, &format!("cat /proc/$(pgrep -f '{PROBE} probe serv[e]')/cgroup")).await;
    let lines = [
        "throttle: {targets: {nodes: [n1]}, cpus: 0.5}",
        "pids: {targets: {nodes: [n1]}, limit: 100}, at: [0s], for: 3s",
        "pause: {targets: {nodes: [n1]}, how: freezer}",
    ];
    // Hierarchies of version 1, or version 2 alone: those that remain when the limit of processes has ended.
    let left = "ls /run/elenchus/cgroup; for place in /run/elenchus/cgroup/*/place; do group=$(cut -d' ' -f2 $place); \
                cat $group/cpu.cfs_quota_us || cat $group/cpu.max $group/pids.max; done 2>/dev/null; true";
    let looked = scene.run_faults(&lines, async || {
        while !["cpu\nunified\n50000", "unified\n50000 100000\nmax"].contains(&scene.on(1, left).await.as_str()) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let (said, outcome) = looked.await.unwrap();
    assert!(outcome.injected == 3 && said.iter().all(|(_, _, error)| error.is_none()), "{said:?}");
    assert_eq!(scene.on(1, &format!("cat /proc/$(pgrep -f '{PROBE} probe serv[e]')/cgroup")).await, before);
}

pub(crate) async fn io_limits_slow_the_disk(scene: &Scene) {
    let made = scene.cluster.nodes[1].host.output(elenchus_control::Command::sh(DISK)).await.unwrap();
    if lacks_cgroups(scene).await || !made.status.is_success() {
        println!("  skipped: no disk can be created on the nodes: {}", made.tail());
        return;
    }
    for node in [1, 3] {
        scene.on(node, "mkdir -p /mnt/disk").await;
    }
    let lines = ["io: {targets: {nodes: [n2]}, path: /mnt/disk, write_kib: 256}"];
    let error = scene.run_faults(&lines, async || unreachable!("the run must not start")).await.unwrap_err();
    assert!(error.to_string().contains("n1: this needs a cgroup"), "{error}");
    assert!(!error.to_string().contains("n2: "), "{error}");
    for node in [1, 3] {
        scene.on(node, DISK).await;
    }
    // Writing one MiB takes four seconds.
    let write =
        format!("began=$(date +%s%N); {PROBE} probe actions {} 7003 16; echo $(( $(date +%s%N) - began ))", scene.cluster.nodes[1].address);
    let taken = async || scene.on(1, &write).await.lines().nth(1).unwrap().parse::<u64>().unwrap();
    scene
        .while_active(lines[0], async || {
            let nanos = taken().await;
            assert!(nanos > 2_000_000_000, "a mebibyte was written in {nanos} ns");
        })
        .await;
    let read = write.replace(" 7003 ", " 7006 ");
    let read = async || scene.on(1, &read).await.lines().nth(1).unwrap().parse::<u64>().unwrap();
    // Reads the file that was written.
    scene
        .while_active("io: {targets: {nodes: [n2]}, path: /mnt/disk, read_kib: 256}", async || {
            let nanos = read().await;
            assert!(nanos > 2_000_000_000, "a mebibyte was read in {nanos} ns");
        })
        .await;
    let line = "scenario: {slow-disk-and-loss: {targets: {nodes: [n2]}, path: /mnt/disk, write_kib: 256, share: 0.5}}";
    scene
        .while_active(line, async || {
            let heard: u32 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            assert!((100..300).contains(&heard), "{heard} of 400");
            let began = std::time::Instant::now();
            let action = scene.on(2, &format!("{PROBE} probe actions {} 7003 16", scene.cluster.nodes[1].address)).await;
            assert!(action == "16" && began.elapsed().as_millis() > 2000, "{action} in {:?}", began.elapsed());
        })
        .await;
    for node in 1..=3 {
        scene.on(node, "umount /mnt/disk && rm -rf /mnt/disk /tmp/image").await;
    }
}
