//! Nodes that run out of something.

use crate::network::{hide, show};
use crate::scene::{PROBE, Scene};

/// What says that a node has no cgroups that could be used.
pub(crate) async fn lacks_cgroups(scene: &Scene) -> bool {
    let reason = "mkdir -p /run/try && mount -t cgroup2 cgroup /run/try && mkdir /run/try/elenchus-try && rmdir /run/try/elenchus-try; failed=$?; umount /run/try; exit $failed";
    let tried = scene.cluster.nodes[0].host.output(elenchus_control::Command::sh(reason)).await.unwrap();
    if !tried.status.is_success() {
        println!("  skipped: no cgroups can be made here: {}", tried.last_words());
    }
    !tried.status.is_success()
}

/// Makes a small disk of a node's own, and mounts it.
pub(crate) const DISK: &str =
    "mkdir -p /mnt/disk && truncate -s 32M /tmp/image && mkfs.ext4 -q /tmp/image && mount -o loop /tmp/image /mnt/disk";

/// The cgroup of the server, by a controller of v1.
const GROUP: &str = "group=$(cut -d' ' -f2 /run/elenchus/cgroup/*/place)";

pub(crate) async fn a_busy_node_has_busy_processes(scene: &Scene) {
    // Clock ticks of processor time that the processes of the job have had.
    let ticks = "cat $(pgrep -s $(cut -d' ' -f1 /run/elenchus/jobs/cpu-1.pid) | sed 's|.*|/proc/&/stat|') | awk '{ s += $14 + $15 } END { print s }'";
    scene
        .while_broken("cpu: {targets: {nodes: [n1]}, workers: 3}", async || {
            let before: u64 = scene.on(1, ticks).await.parse().unwrap();
            for _ in 0..100 {
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
                if scene.on(1, ticks).await.parse::<u64>().unwrap() > before + 20 {
                    return;
                }
            }
            panic!("they had no processor time");
        })
        .await;
    assert_eq!(scene.on(1, "ls /run/elenchus/jobs").await, "");
}

pub(crate) async fn memory_is_held(scene: &Scene) {
    scene
        .while_broken("memory: {targets: {nodes: [n2]}, mib: 64}", async || {
            let held = "cat /proc/[0-9]*/status 2>/dev/null | awk '/^VmRSS:/ && $2 > 60000 { n++ } END { print n + 0 }'";
            assert!(scene.on(2, held).await.parse::<u32>().unwrap() >= 1);
        })
        .await;
    assert_eq!(scene.on(2, "pgrep -x tail || echo none").await, "none");
}

pub(crate) async fn a_full_disk_takes_no_more(scene: &Scene) {
    for node in 1..=3 {
        scene.on(node, "mkdir -p /mnt/small && mount -t tmpfs -o size=8m tmpfs /mnt/small").await;
    }
    let write = "if head -c 100000 /dev/zero 2>/dev/null >/mnt/small/x; then echo written; else echo full; fi; rm -f /mnt/small/x";
    assert_eq!(scene.on(1, write).await, "written");
    scene
        .while_broken("fill_disk: {targets: {nodes: [n1]}, path: /mnt/small}", async || {
            assert_eq!(scene.on(1, write).await, "full");
        })
        .await;
    assert_eq!(scene.on(1, write).await, "written");
    // Where room cannot be set aside, every byte is written.
    hide(scene, 1, "fallocate").await;
    scene
        .while_broken("fill_disk: {targets: {nodes: [n1]}, path: /mnt/small, leave_kib: 2048}", async || {
            let free: u32 = scene.on(1, "df -Pk /mnt/small | awk 'NR == 2 { print $4 }'").await.parse().unwrap();
            assert!((1024..=3072).contains(&free), "{free} KiB");
            assert_eq!(scene.on(1, write).await, "written", "there is room for that");
        })
        .await;
    show(scene, 1, "fallocate").await;
    for node in 1..=3 {
        assert_eq!(scene.on(node, "ls -A /mnt/small; umount /mnt/small; rmdir /mnt/small").await, "");
    }
    let lines = ["fill_disk: {targets: {nodes: [n1]}, path: /mnt/small}"];
    let error = scene.while_injected(&lines, async || unreachable!("nothing is begun")).await.unwrap_err();
    assert!(error.to_string().contains("n1: the directory /mnt/small does not exist"), "{error}");
}

pub(crate) async fn files_cannot_be_opened(scene: &Scene) {
    let limit = format!(
        "for pid in $(pgrep -f '{PROBE} probe serv[e]'); do sed -n 's/^Max open files *\\([^ ]*\\) .*/\\1/p' /proc/$pid/limits; done"
    );
    let before = scene.on(3, &limit).await;
    scene
        .while_broken("descriptors: {targets: {nodes: [n3]}, limit: 4}", async || {
            assert_eq!(scene.on(3, &limit).await, "4");
            // The server has more than four open already: a connection is made by the kernel, but never taken up. The place of one it had kept before.
            scene.probe(1, "tcp", 3, 7000).await;
            scene.probe(1, "tcp", 3, 7000).await;
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "silence");
        })
        .await;
    assert_eq!(scene.on(3, &limit).await, before);
}

pub(crate) async fn a_throttled_server_has_its_share(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    // Clock ticks of processor time that the server has had, and hundredths of a second that have passed.
    let ticks =
        format!("awk '{{ print $14 + $15 }}' /proc/$(pgrep -f '{PROBE} probe serv[e]')/stat; tr -d . </proc/uptime | cut -d' ' -f1");
    let spent = async || -> Vec<f64> { scene.on(2, &ticks).await.lines().map(|line| line.parse().unwrap()).collect() };
    let throttled = format!("{GROUP}; sed -n 's/^nr_throttled //p' $group/cpu.stat");
    scene
        .while_broken("throttle: {targets: {nodes: [n2]}, cpus: 0.05}", async || {
            let before = spent().await;
            while scene.on(2, &throttled).await.parse::<u32>().unwrap() < 10 {
                scene.probe(1, "bytes", 2, 7000).await;
            }
            let after = spent().await;
            let share = (after[0] - before[0]) / (after[1] - before[1]);
            assert!(share < 0.1, "it had {share} of a processor");
        })
        .await;
}

pub(crate) async fn who_takes_too_much_memory_is_killed(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    scene
        .while_broken("oom: {targets: {nodes: [n3]}, mib: 16}", async || {
            assert_eq!(scene.on(1, &format!("{PROBE} probe deeds {} 7002 8", scene.cluster.nodes[2].address)).await, "8");
            let done: u32 = scene.on(1, &format!("{PROBE} probe deeds {} 7002 32", scene.cluster.nodes[2].address)).await.parse().unwrap();
            assert!(done < 10, "{done} MiB more were taken");
            assert_eq!(scene.probe(1, "tcp", 3, 7000).await, "refused");
        })
        .await;
    scene.await_servers().await;
    assert_eq!(scene.on(1, &format!("{PROBE} probe deeds {} 7002 32", scene.cluster.nodes[2].address)).await, "32");
}

pub(crate) async fn no_thread_can_be_started(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
    scene
        .while_broken("pids: {targets: {nodes: [n1]}}", async || {
            assert_ne!(scene.probe(2, "tcp", 1, 7000).await, "ok", "each connection takes a thread");
            assert_eq!(scene.probe(2, "udp", 1, 7000).await, "400", "those that run do");
        })
        .await;
    assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
}

/// Two limits share the system's cgroup where they are of one hierarchy; the first to end takes nothing from the other.
pub(crate) async fn limits_end_each_by_itself(scene: &Scene) {
    if lacks_cgroups(scene).await {
        return;
    }
    let before = scene.on(1, &format!("cat /proc/$(pgrep -f '{PROBE} probe serv[e]')/cgroup")).await;
    let lines = [
        "throttle: {targets: {nodes: [n1]}, cpus: 0.5}",
        "pids: {targets: {nodes: [n1]}, limit: 100}, at: [0s], for: 3s",
        "pause: {targets: {nodes: [n1]}, how: freezer}",
    ];
    let held = "ls /run/elenchus/cgroup; cat $(cut -d' ' -f2 /run/elenchus/cgroup/cpu/place)/cpu.cfs_quota_us";
    let looked = scene.while_injected(&lines, async || {
        while scene.on(1, held).await != "cpu\nunified\n50000" {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    let (said, outcome) = looked.await.unwrap();
    assert!(outcome.injected == 3 && said.iter().all(|(_, _, error)| error.is_none()), "{said:?}");
    assert_eq!(scene.on(1, &format!("cat /proc/$(pgrep -f '{PROBE} probe serv[e]')/cgroup")).await, before);
}

pub(crate) async fn a_disk_is_as_slow_as_it_is_said_to_be(scene: &Scene) {
    let made = scene.cluster.nodes[1].host.output(elenchus_control::Command::sh(DISK)).await.unwrap();
    if lacks_cgroups(scene).await || !made.status.is_success() {
        println!("  skipped: no disk can be made here: {}", made.last_words());
        return;
    }
    for node in [1, 3] {
        scene.on(node, "mkdir -p /mnt/disk").await;
    }
    let lines = ["io: {targets: {nodes: [n2]}, path: /mnt/disk, write_kib: 256}"];
    let error = scene.while_injected(&lines, async || unreachable!("nothing is begun")).await.unwrap_err();
    assert!(error.to_string().contains("n1: this needs a cgroup"), "{error}");
    assert!(!error.to_string().contains("n2: "), "{error}");
    for node in [1, 3] {
        scene.on(node, DISK).await;
    }
    // A mebibyte takes four seconds.
    let write =
        format!("began=$(date +%s%N); {PROBE} probe deeds {} 7003 16; echo $(( $(date +%s%N) - began ))", scene.cluster.nodes[1].address);
    let taken = async || scene.on(1, &write).await.lines().nth(1).unwrap().parse::<u64>().unwrap();
    scene
        .while_broken(lines[0], async || {
            let nanos = taken().await;
            assert!(nanos > 2_000_000_000, "a mebibyte was written in {nanos} ns");
        })
        .await;
    let read = write.replace(" 7003 ", " 7006 ");
    let read = async || scene.on(1, &read).await.lines().nth(1).unwrap().parse::<u64>().unwrap();
    // What was written, from its beginning on.
    scene
        .while_broken("io: {targets: {nodes: [n2]}, path: /mnt/disk, read_kib: 256}", async || {
            let nanos = read().await;
            assert!(nanos > 2_000_000_000, "a mebibyte was read in {nanos} ns");
        })
        .await;
    let line = "scenario: {slow-disk-and-loss: {targets: {nodes: [n2]}, path: /mnt/disk, write_kib: 256, share: 0.5}}";
    scene
        .while_broken(line, async || {
            let heard: u32 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            assert!((100..300).contains(&heard), "{heard} of 400");
            let began = std::time::Instant::now();
            let deeds = scene.on(2, &format!("{PROBE} probe deeds {} 7003 16", scene.cluster.nodes[1].address)).await;
            assert!(deeds == "16" && began.elapsed().as_millis() > 2000, "{deeds} in {:?}", began.elapsed());
        })
        .await;
    for node in 1..=3 {
        scene.on(node, "umount /mnt/disk && rm -rf /mnt/disk /tmp/image").await;
    }
}
