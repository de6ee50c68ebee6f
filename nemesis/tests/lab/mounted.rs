//! Power failures, failing operations, latency and flipped bits on a mounted disk.

use std::time::{Duration, Instant};

use crate::sample::sample;
use crate::scene::Scene;

/// The directory that is mounted over, and a command that counts its mounts.
const DISK: &str = "/var/tmp/disk";
const MOUNTED: &str = "grep -c ' /var/tmp/disk .* elenchus-disk ' /proc/self/mountinfo; true";

/// Runs a command; returns `ok` or its output.
async fn tried(scene: &Scene, node: usize, command: &str) -> String {
    scene.on(node, &format!("if said=$( {{ {command}; }} 2>&1 ); then echo ok; else echo \"$said\"; fi")).await.trim().to_owned()
}

/// Fails unless nothing is mounted, no process serves a mount, and no state is left.
async fn assert_unmounted(scene: &Scene) {
    for node in 1..=3 {
        assert_eq!(scene.on(node, MOUNTED).await.trim(), "0");
        for _ in 0..100 {
            // The process exits when the last file is closed.
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

/// Writes of all kinds, some followed by a sync.
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

pub(crate) async fn unsynced_writes_are_lost_on_power_failure(scene: &Scene) {
    // On n1 the directory exists before the run; elsewhere it is created for the mount.
    scene.on(1, &format!("mkdir -p {DISK}; printf before >{DISK}/old; chmod 640 {DISK}/old")).await;
    let faults = ["power_failure: {targets: {nodes: [n1]}, directory: /var/tmp/disk}, after_operations: 1"];
    let (said, outcome) = scene
        .run_staged_faults(
            &faults,
            async || {
                assert_eq!(scene.on(1, MOUNTED).await.trim(), "1");
                scene.on(1, WRITES).await;
                // Before the power failure all data is visible.
                let all = scene.on(1, &format!("cd {DISK}; cat synced unsynced after two link folder/file late/file held; ls")).await;
                let names = "after\ndirect\nfolder\nheld\nkept\nlate\nlink\nold\nsynced\nthrough\ntwo\nunsynced";
                assert_eq!(all, format!("oldnewnew123x5durablelost{names}"));
            },
            async || {
                let left = scene
                    .on(1, &format!("cd {DISK}; ls; cat synced after two link early/file held; wc -c <through; stat -c %a old; cat old"))
                    .await;
                // A prefix of the changes of names survives: `after` was renamed before the last sync; the removal of `gone` was never
                // synced.
                let names = "after\ndirect\nearly\ngone\nheld\nkept\nlink\nold\nsynced\nthrough\ntwo\nunsynced\nwritten";
                assert_eq!(left, format!("{names}\nold1235durable12288\n640\nbefore"));
                assert_eq!(
                    scene.on(1, &format!("wc -c <{DISK}/unsynced; cat {DISK}/gone")).await,
                    "0\n4",
                    "its name was older than what was synced, its contents were not"
                );
                assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "refused", "no power, no server");
                // The kernel's cache of undone names is invalidated, and appending continues at the current end of the file.
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
    assert_eq!(scene.on(2, &format!("ls -d {DISK} 2>/dev/null; true")).await, "", "the directory created for the mount is deleted");
}

pub(crate) async fn torn_writes_mix_old_and_new_sectors(scene: &Scene) {
    let count = |byte: &str| format!("tr -cd '{byte}' </var/tmp/disk/file | wc -c");
    let faults = ["power_failure: {targets: {nodes: [n2]}, directory: /var/tmp/disk, torn: 512}, after_operations: 1"];
    let torn = scene.run_staged_faults(
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
        .while_active(
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
        .while_active(line, async || {
            assert!(tried(scene, 3, &format!("dd if=/dev/zero of={DISK}/data bs=1 count=1 conv=notrunc")).await.contains("No space left"));
            assert!(tried(scene, 3, &format!("mkdir {DISK}/new")).await.contains("No space left"));
            assert_eq!(tried(scene, 3, &read("wal/log")).await, "ok");
        })
        .await;
    // One operation at a time.
    let attempts = [
        ("open", "cat data"),
        ("create", "mkdir new"),
        ("remove", "rm data"),
        ("rename", "mv data other"),
        ("truncate", "truncate -s 1 data"),
        ("list", "ls wal"),
        ("attribute", "chmod 600 data"),
        ("write", "dd if=/dev/zero of=data bs=1 count=1 conv=notrunc"),
    ];
    for (operation, attempt) in sample("disk operations", &attempts, 3) {
        let line =
            format!("disk: {{targets: {{nodes: [n3]}}, directory: /var/tmp/disk, how: {{error: EROFS}}, operations: [{operation}]}}");
        let attempt = format!("cd {DISK} && {attempt}");
        scene
            .while_active(&line, async || {
                let said = tried(scene, 3, &attempt).await;
                assert!(said.contains("Read-only file system"), "{operation}: {said}");
            })
            .await;
    }
    let half = "disk: {targets: {nodes: [n3]}, directory: /var/tmp/disk, how: {error: EIO}, operations: [write], probability: 0.5}";
    scene
        .while_active(half, async || {
            let writes = format!("for i in $(seq 200); do echo 5 2>/dev/null >>{DISK}/half && echo written; done | wc -l");
            let written: u32 = scene.on(3, &writes).await.parse().unwrap();
            assert!((60..140).contains(&written), "{written} of 200");
        })
        .await;
    assert_eq!(scene.on(3, &format!("cat {DISK}/wal/log {DISK}/data; rm -r {DISK}")).await, "1\n3\n2");
    assert_unmounted(scene).await;
}

pub(crate) async fn operations_are_delayed(scene: &Scene) {
    scene
        .while_active(
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

pub(crate) async fn reads_return_flipped_bits(scene: &Scene) {
    let lines = ["disk_flips: {targets: {nodes: [n2]}, directory: /var/tmp/disk, bits: 3}, after_operations: 1"];
    let differing = format!("cmp -l {DISK}/file /var/tmp/same | wc -l");
    let flipped = scene.run_staged_faults(
        &lines,
        async || {
            scene.on(2, &format!("head -c 100000 /dev/urandom >/var/tmp/same; cp /var/tmp/same {DISK}/file")).await;
            // Reads are from the page cache.
            assert_eq!(scene.on(2, &differing).await.trim(), "0");
        },
        async || {
            let count: u32 = scene.on(2, &differing).await.trim().parse().unwrap();
            assert!(count > 0, "no bit is flipped");
        },
    );
    let (said, outcome) = flipped.await.unwrap();
    assert!(outcome.injected == 1 && outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    assert_eq!(scene.on(2, &differing).await.trim(), "0", "the data on the disk is unchanged");
    scene.on(2, &format!("rm -r /var/tmp/same {DISK}")).await;
}

/// The serving process is killed: the directory below is intact, and the heal succeeds.
pub(crate) async fn a_killed_file_system_is_unmounted(scene: &Scene) {
    let lines = ["disk: {targets: {nodes: [n1]}, directory: /var/tmp/disk, how: {error: EIO}, files: none}, after_operations: 1"];
    let killed = scene.run_staged_faults(
        &lines,
        async || {
            scene.on(1, &format!("echo 1 >{DISK}/file")).await;
        },
        async || {
            // The serving process and its supervisor.
            scene.on(1, "kill -9 $(pgrep -f 'agent-[0-9a-f]* disk keep'); kill -9 $(pgrep -f 'agent-[0-9a-f]* disk carry'); true").await;
            assert!(tried(scene, 1, &format!("cat {DISK}/file")).await.contains("not connected"));
        },
    );
    let (said, outcome) = killed.await.unwrap();
    assert!(outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    assert_eq!(scene.on(1, &format!("cat {DISK}/file; ls -A {DISK}; rm -r {DISK}")).await, "1\nfile");
}

/// The command line of the serving process contains the directory, but must not match the system's process pattern.
pub(crate) async fn process_patterns_do_not_match_the_file_system(scene: &Scene) {
    let scene = &scene
        .with_system("{name: probe, process: {pattern: '/var/tmp/dis[k]'}, start: {command: 'exec /opt/elenchus-probe probe serve'}}");
    let lines = [
        "power_failure: {targets: {nodes: [n2]}, directory: /var/tmp/disk}, after_operations: 1",
        "kill: {targets: {nodes: [n1]}}, after_operations: 1",
    ];
    let failed = scene.run_staged_faults(
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
    let (said, outcome) = failed.await.unwrap();
    assert!(outcome.injected == 2 && outcome.unhealed.is_empty(), "{said:?}");
    assert_unmounted(scene).await;
    for node in [1, 2] {
        scene.on(node, &format!("rm -r {DISK}")).await;
    }
}

pub(crate) async fn unsuitable_directories_are_refused_before_the_run(scene: &Scene) {
    for (directory, why) in [("/var/lib", "/var/lib/elenchus"), ("tmp", "absolute path"), ("''", "absolute path")] {
        let line = format!("power_failure: {{directory: {directory}}}");
        let refused = scene.run_faults(&[&line], async || {}).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    scene.on(1, &format!("mkdir -p {DISK}/below && mount -t tmpfs tmpfs {DISK}/below")).await;
    let line = "power_failure: {targets: {nodes: [n1]}, directory: /var/tmp/disk}";
    let refused = scene.run_faults(&[line], async || {}).await.unwrap_err().to_string();
    assert!(refused.contains("another file system"), "{refused}");
    scene.on(1, &format!("umount {DISK}/below && rm -r {DISK}")).await;
    assert_unmounted(scene).await;
}
