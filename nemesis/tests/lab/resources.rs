//! Nodes that run out of something.

use crate::scene::{PROBE, Scene};

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
    for node in 1..=3 {
        assert_eq!(scene.on(node, "ls -A /mnt/small; umount /mnt/small; rmdir /mnt/small").await, "");
    }
    let lines = ["fill_disk: {targets: {nodes: [n1]}, path: /mnt/small}"];
    let error = scene.while_injected(&lines, async || unreachable!("nothing is begun")).await.unwrap_err();
    assert!(error.to_string().contains("n1: there is no directory /mnt/small"), "{error}");
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
