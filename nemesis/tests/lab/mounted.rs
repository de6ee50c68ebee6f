//! Disks that forget and fail, while they are in use.

use std::time::{Duration, Instant};

use crate::scene::Scene;

/// Where the disk is, and whether it is mounted.
const DISK: &str = "/var/tmp/disk";
const MOUNTED: &str = "grep -c ' /var/tmp/disk .* elenchus-disk ' /proc/self/mountinfo; true";

/// Whether a command succeeds, and what it says of errors.
async fn tried(scene: &Scene, node: usize, command: &str) -> String {
    scene.on(node, &format!("if said=$( {{ {command}; }} 2>&1 ); then echo ok; else echo \"$said\"; fi")).await.trim().to_owned()
}

/// Nothing is mounted any more, and nothing is left of what served it.
async fn assert_unmounted(scene: &Scene) {
    for node in 1..=3 {
        assert_eq!(scene.on(node, MOUNTED).await.trim(), "0");
        for _ in 0..100 {
            // It ends with the last who has a file open.
            if scene.on(node, "pgrep -f 'agent-[0-9a-f]* disk' >/dev/null && echo served; true").await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(
            scene.on(node, "pgrep -af 'agent-[0-9a-f]* disk'; ls -A /run/elenchus/disks 2>/dev/null | grep -v lock; true").await,
            ""
        );
    }
}

/// Writes of every kind, of which `sync` in a name says that it was synced.
const WRITES: &str = "set -e; cd /var/tmp/disk; \
     printf old >synced; sync synced; printf new >>synced; \
     printf new >unsynced; \
     printf 1 >before; sync before; mv before after; \
     printf 2 >one; sync one; mv one two; sync .; \
     dd if=/dev/zero of=through bs=4096 count=3 oflag=dsync 2>/dev/null; \
     dd if=/dev/zero of=direct bs=4096 count=3 oflag=direct,dsync 2>/dev/null; \
     printf 3 >kept; ln kept link; sync kept; \
     mkdir early; printf 5 >early/file; sync early/file; \
     setsid sh -c 'exec 9>>held; printf durable >&9; sync held; printf lost >&9; touch written; exec sleep 600' >/dev/null 2>&1 </dev/null & \
     until [ -e written ]; do sleep 0.05; done; \
     printf 4 >gone; sync gone; rm gone; mkdir folder; printf x >folder/file; mv early late; rm written";

pub(crate) async fn what_was_not_synced_is_lost_with_the_power(scene: &Scene) {
    // The directory is made for it, and with it the files that the control node writes once it is mounted.
    scene.on(1, &format!("mkdir -p {DISK}; printf before >{DISK}/old; chmod 640 {DISK}/old")).await;
    let faults = ["power_failure: {targets: {nodes: [n1]}, directory: /var/tmp/disk}, after_operations: 1"];
    let (said, outcome) = scene
        .while_staged(
            &faults,
            async || {
                assert_eq!(scene.on(1, MOUNTED).await.trim(), "1");
                scene.on(1, WRITES).await;
                // Everything is there until the power fails.
                let all = scene.on(1, &format!("cd {DISK}; cat synced unsynced after two link folder/file late/file held; ls")).await;
                let names = "after\ndirect\nfolder\nheld\nkept\nlate\nlink\nold\nsynced\nthrough\ntwo\nunsynced";
                assert_eq!(all, format!("oldnewnew123x5durablelost{names}"));
            },
            async || {
                let left = scene
                    .on(1, &format!("cd {DISK}; ls; cat synced after two link early/file held; wc -c <through; stat -c %a old; cat old"))
                    .await;
                // The order of changes of names was kept: `after` came before the last sync, `gone` after it was removed and nothing was synced.
                let names = "after\ndirect\nearly\ngone\nheld\nkept\nlink\nold\nsynced\nthrough\ntwo\nunsynced\nwritten";
                assert_eq!(left, format!("{names}\nold1235durable12288\n640\nbefore"));
                assert_eq!(
                    scene.on(1, &format!("wc -c <{DISK}/unsynced; cat {DISK}/gone")).await,
                    "0\n4",
                    "its name was older than what was synced, its contents were not"
                );
                assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "refused", "no power, no server");
                // Names that were undone are forgotten, and files go on where they end now.
                let held = "pkill -f 'sleep 60[0]'; cd /var/tmp/disk; test -e late || printf again >>held; cat held";
                assert_eq!(scene.on(1, held).await, "durableagain");
            },
        )
        .await
        .unwrap();
    assert!(outcome.injected == 1 && outcome.unhealed.is_empty() && said.len() == 4, "{said:?}");
    assert_unmounted(scene).await;
    assert_eq!(
        scene.on(1, &format!("cat {DISK}/synced; ls -A {DISK} | wc -l")).await.trim(),
        "old13",
        "below it is what was there at last"
    );
    scene.on(1, &format!("rm -rf {DISK}")).await;
    assert_eq!(scene.on(2, &format!("ls -d {DISK} 2>/dev/null; true")).await, "", "what was made for the mount is gone with it");
}

pub(crate) async fn torn_writes_leave_a_mixture(scene: &Scene) {
    let count = |byte: &str| format!("tr -cd '{byte}' </var/tmp/disk/file | wc -c");
    let faults = ["power_failure: {targets: {nodes: [n2]}, directory: /var/tmp/disk, torn: 512}, after_operations: 1"];
    let torn = scene.while_staged(
        &faults,
        async || {
            scene.on(2, &format!("head -c 65536 /dev/zero | tr '\\0' a >{DISK}/file; sync {DISK}/file; sync {DISK}; head -c 65536 /dev/zero | tr '\\0' b | dd of={DISK}/file conv=notrunc bs=4096 2>/dev/null")).await;
            assert_eq!(scene.on(2, &count("b")).await.trim(), "65536");
        },
        async || {
            let [old, new] = [scene.on(2, &count("a")).await, scene.on(2, &count("b")).await].map(|count| count.trim().parse::<u32>().unwrap());
            assert!(old + new == 65536 && old > 0 && new > 0 && old % 512 == 0, "{old} of {new}");
        },
    );
    let (said, outcome) = torn.await.unwrap();
    assert!(outcome.injected == 1 && outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    scene.on(2, &format!("rm -r {DISK}")).await;
}

pub(crate) async fn chosen_operations_fail_on_chosen_files(scene: &Scene) {
    let files = format!("mkdir -p {DISK}/wal; echo 1 >{DISK}/wal/log; echo 2 >{DISK}/data");
    scene.on(3, &files).await;
    let read = |path: &str| format!("dd if={DISK}/{path} of=/dev/null");
    scene
        .while_broken(
            "disk: {targets: {nodes: [n3]}, directory: /var/tmp/disk, files: 'wal/*', how: {error: EIO}, operations: [read, sync]}",
            async || {
                assert!(tried(scene, 3, &read("wal/log")).await.contains("Input/output error"));
                assert_eq!(tried(scene, 3, &read("data")).await, "ok");
                assert_eq!(tried(scene, 3, &format!("echo 3 >>{DISK}/wal/log")).await, "ok");
                assert!(tried(scene, 3, &format!("sync {DISK}/wal/log")).await.contains("Input/output error"));
            },
        )
        .await;
    let line = "disk: {targets: {nodes: [n3]}, directory: /var/tmp/disk, how: {error: ENOSPC}, operations: [write, create, truncate]}";
    scene
        .while_broken(line, async || {
            assert!(tried(scene, 3, &format!("dd if=/dev/zero of={DISK}/data bs=1 count=1 conv=notrunc")).await.contains("No space left"));
            assert!(tried(scene, 3, &format!("mkdir {DISK}/new")).await.contains("No space left"));
            assert_eq!(tried(scene, 3, &read("wal/log")).await, "ok");
        })
        .await;
    // Each operation by itself, as a disk that can only be read has it.
    for (operation, attempt) in [
        ("open", "cat data"),
        ("create", "mkdir new"),
        ("remove", "rm data"),
        ("rename", "mv data other"),
        ("truncate", "truncate -s 1 data"),
        ("list", "ls wal"),
        ("attribute", "chmod 600 data"),
        ("write", "dd if=/dev/zero of=data bs=1 count=1 conv=notrunc"),
    ] {
        let line =
            format!("disk: {{targets: {{nodes: [n3]}}, directory: /var/tmp/disk, how: {{error: EROFS}}, operations: [{operation}]}}");
        let attempt = format!("cd {DISK} && {attempt}");
        scene
            .while_broken(&line, async || {
                let said = tried(scene, 3, &attempt).await;
                assert!(said.contains("Read-only file system"), "{operation}: {said}");
            })
            .await;
    }
    let half = "disk: {targets: {nodes: [n3]}, directory: /var/tmp/disk, how: {error: EIO}, operations: [write], probability: 0.5}";
    scene
        .while_broken(half, async || {
            let writes = format!("for i in $(seq 200); do echo 5 2>/dev/null >>{DISK}/half && echo written; done | wc -l");
            let written: u32 = scene.on(3, &writes).await.parse().unwrap();
            assert!((60..140).contains(&written), "{written} of 200");
        })
        .await;
    assert_eq!(scene.on(3, &format!("cat {DISK}/wal/log {DISK}/data; rm -r {DISK}")).await, "1\n3\n2");
    assert_unmounted(scene).await;
}

pub(crate) async fn operations_take_longer(scene: &Scene) {
    scene
        .while_broken(
            "disk: {targets: {nodes: [n1]}, directory: /var/tmp/disk, how: {delay: 700ms}, operations: [write], files: slow}",
            async || {
                let began = Instant::now();
                scene.on(1, &format!("echo 1 >{DISK}/slow; echo 2 >>{DISK}/slow")).await;
                assert!(began.elapsed() >= Duration::from_millis(1400));
                scene.on(1, &format!("rm {DISK}/slow")).await;
            },
        )
        .await;
    assert_unmounted(scene).await;
}

pub(crate) async fn other_bits_are_read_than_were_written(scene: &Scene) {
    let lines = ["disk_flips: {targets: {nodes: [n2]}, directory: /var/tmp/disk, bits: 3}, after_operations: 1"];
    let differing = format!("cmp -l {DISK}/file /var/tmp/same | wc -l");
    let flipped = scene.while_staged(
        &lines,
        async || {
            scene.on(2, &format!("head -c 100000 /dev/urandom >/var/tmp/same; cp /var/tmp/same {DISK}/file")).await;
            // Who has read it before, from memory.
            assert_eq!(scene.on(2, &differing).await.trim(), "0");
        },
        async || {
            let count: u32 = scene.on(2, &differing).await.trim().parse().unwrap();
            assert!(count > 0, "nothing is flipped");
        },
    );
    let (said, outcome) = flipped.await.unwrap();
    assert!(outcome.injected == 1 && outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    assert_eq!(scene.on(2, &differing).await.trim(), "0", "what is on the disk was never touched");
    scene.on(2, &format!("rm -r /var/tmp/same {DISK}")).await;
}

/// Who serves the disk is killed: what it served goes on below, and all is healed as ever.
pub(crate) async fn a_disk_whose_server_is_killed_is_not_left_dead(scene: &Scene) {
    let lines = ["disk: {targets: {nodes: [n1]}, directory: /var/tmp/disk, how: {error: EIO}, files: none}, after_operations: 1"];
    let killed = scene.while_staged(
        &lines,
        async || {
            scene.on(1, &format!("echo 1 >{DISK}/file")).await;
        },
        async || {
            // The one that carries it and the one that looks after that one.
            scene.on(1, "kill -9 $(pgrep -f 'agent-[0-9a-f]* disk keep'); kill -9 $(pgrep -f 'agent-[0-9a-f]* disk carry'); true").await;
            assert!(tried(scene, 1, &format!("cat {DISK}/file")).await.contains("not connected"));
        },
    );
    let (said, outcome) = killed.await.unwrap();
    assert!(outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    assert_eq!(scene.on(1, &format!("cat {DISK}/file; ls -A {DISK}; rm -r {DISK}")).await, "1\nfile");
}

/// Who serves the disk is told of its directory, and is none of the system's processes for that.
pub(crate) async fn a_pattern_of_the_system_does_not_strike_the_disk(scene: &Scene) {
    let scene = &scene
        .with_system("{name: probe, process: {pattern: '/var/tmp/dis[k]'}, start: {command: 'exec /opt/elenchus-probe probe serve'}}");
    let lines = [
        "power_failure: {targets: {nodes: [n2]}, directory: /var/tmp/disk}, after_operations: 1",
        "kill: {targets: {nodes: [n1]}}, after_operations: 1",
    ];
    let struck = scene.while_staged(
        &lines,
        async || (),
        async || {
            assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "refused");
            for node in [1, 2] {
                assert_eq!(tried(scene, node, &format!("touch {DISK}/file && ls {DISK} >/dev/null")).await, "ok");
                assert_eq!(scene.on(node, MOUNTED).await.trim(), "1");
            }
        },
    );
    let (said, outcome) = struck.await.unwrap();
    assert!(outcome.injected == 2 && outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    for node in [1, 2] {
        scene.on(node, &format!("rm -r {DISK}")).await;
    }
}

pub(crate) async fn what_is_not_to_be_mounted_over_is_said_before_the_run(scene: &Scene) {
    for (directory, why) in [("/var/lib", "/var/lib/elenchus"), ("tmp", "absolute path"), ("''", "absolute path")] {
        let line = format!("power_failure: {{directory: {directory}}}");
        let refused = scene.while_injected(&[&line], async || {}).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    scene.on(1, &format!("mkdir -p {DISK}/below && mount -t tmpfs tmpfs {DISK}/below")).await;
    let line = "power_failure: {targets: {nodes: [n1]}, directory: /var/tmp/disk}";
    let refused = scene.while_injected(&[line], async || {}).await.unwrap_err().to_string();
    assert!(refused.contains("another file system"), "{refused}");
    scene.on(1, &format!("umount {DISK}/below && rm -r {DISK}")).await;
    assert_unmounted(scene).await;
}
