//! How well nodes talk: by netem where the kernel has it, else by the helper.

use crate::network::{hide, show};
use crate::scene::{PROBE, Scene};

/// The numbers of packets from n2 to n1 in the order in which they come back.
async fn echoes(scene: &Scene, count: u32, size: usize) -> Vec<u32> {
    let address = &scene.cluster.nodes[0].address;
    let said = scene.on(2, &format!("{PROBE} probe echoes {address} 7000 {count} {size}")).await;
    said.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The least time in milliseconds from one node to another and back.
async fn roundtrip(scene: &Scene, from: usize, to: usize) -> u32 {
    scene.probe(from, "roundtrip", to, 7000).await.parse().unwrap()
}

/// How often each of so many numbers comes.
fn times(echoes: &[u32], count: u32) -> Vec<usize> {
    (0..count).map(|number| echoes.iter().filter(|&&other| other == number).count()).collect()
}

/// Whatever comes is what was sent, and comes once or twice. A few in a hundred may be lost, by the kernel: where the host of a virtual machine takes a processor away
/// for a while, fragments that have passed the others are too far from them (`ipfrag_max_dist`).
fn assert_doubled(echoes: &[u32], count: u32) {
    let times = times(echoes, count);
    assert_eq!(times.iter().sum::<usize>(), echoes.len(), "something else came: {echoes:?}");
    let lost = times.iter().filter(|&&times| times == 0).count();
    assert!(lost <= count as usize / 20 && times.contains(&2) && times.iter().all(|&times| times <= 2), "{times:?}");
}

async fn assert_whole(scene: &Scene) {
    assert_eq!(echoes(scene, 200, 64).await, (0..200).collect::<Vec<_>>());
}

pub(crate) async fn what_is_sent_is_late_one_way_and_to_peers_alone(scene: &Scene) {
    scene
        .while_broken("link: {targets: {nodes: [n1]}, to: [n2], delay: 300ms, jitter: 50ms, distribution: normal}", async || {
            // Four deviations below the mean is the least.
            for (from, to) in [(1, 2), (2, 1)] {
                let late = roundtrip(scene, from, to).await;
                assert!((100..600).contains(&late), "n{from} to n{to}: {late} ms");
            }
            for (from, to) in [(1, 3), (3, 1), (2, 3)] {
                let late = roundtrip(scene, from, to).await;
                assert!(late < 100, "n{from} to n{to}: {late} ms");
            }
            assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
        })
        .await;
    assert!(roundtrip(scene, 2, 1).await < 100);
    assert_whole(scene).await;
}

/// A third of the packets, in runs of seven on average; without bursts they would be of one and a half.
pub(crate) async fn packets_are_lost_in_bursts(scene: &Scene) {
    let runs = async || {
        let lost: Vec<bool> = times(&echoes(scene, 1500, 64).await, 1500).iter().map(|&times| times == 0).collect();
        let (count, runs) =
            (lost.iter().filter(|&&lost| lost).count(), lost.windows(2).filter(|pair| pair == &[false, true]).count().max(1));
        (count, count as f64 / runs as f64)
    };
    scene
        .while_broken("link: {targets: {nodes: [n1]}, loss: 0.3}", async || {
            let (lost, length) = runs().await;
            assert!((270..630).contains(&lost) && length < 2.0, "{lost} lost in runs of {length}");
        })
        .await;
    scene
        .while_broken("link: {targets: {nodes: [n1]}, loss: 0.3, burst: 0.8}", async || {
            let (lost, length) = runs().await;
            assert!((150..1200).contains(&lost) && length > 3.0, "{lost} lost in runs of {length}");
        })
        .await;
    scene
        .while_broken("link: {targets: all, loss: 1}", async || {
            assert!(echoes(scene, 50, 64).await.is_empty());
            assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "silence");
            let ssh = scene.cluster.nodes[0].host.port();
            assert_eq!(scene.probe(2, "tcp", 1, ssh).await, "ok", "SSH is spared");
        })
        .await;
    assert_whole(scene).await;
}

pub(crate) async fn packets_are_doubled(scene: &Scene) {
    for delay in ["", ", delay: 20ms"] {
        scene
            .while_broken(&format!("link: {{targets: {{nodes: [n1]}}, duplicate: 0.3{delay}}}"), async || {
                let times = times(&echoes(scene, 1000, 64).await, 1000);
                assert!(times.iter().all(|times| [1, 2].contains(times)), "none is lost");
                let doubled = times.iter().filter(|&&times| times == 2).count();
                assert!((150..450).contains(&doubled), "{doubled} of 1000{delay}");
            })
            .await;
    }
    assert_whole(scene).await;
}

pub(crate) async fn packets_overtake_each_other(scene: &Scene) {
    for how in ["delay: 30ms, reorder: 0.3", "delay: 30ms, jitter: 25ms"] {
        scene
            .while_broken(&format!("link: {{targets: {{nodes: [n1]}}, {how}}}"), async || {
                let echoes = echoes(scene, 1000, 64).await;
                assert!(times(&echoes, 1000).iter().all(|&times| times == 1), "each comes once");
                let behind = echoes.windows(2).filter(|pair| pair[1] < pair[0]).count();
                assert!(behind > 50, "{how}: {behind} of 1000");
            })
            .await;
    }
    scene
        .while_broken("link: {targets: {nodes: [n1]}, delay: 30ms}", async || {
            assert_eq!(echoes(scene, 1000, 64).await, (0..1000).collect::<Vec<_>>(), "all as late keep their order");
        })
        .await;
}

/// The receiver counts packets whose checksum is wrong, and gives them to nobody.
pub(crate) async fn packets_are_corrupt(scene: &Scene) {
    let wrong = async || {
        let column = "awk '/^Udp:/ {if (n) print $n; else for (i = 1; i <= NF; i++) if ($i == \"InCsumErrors\") n = i}' /proc/net/snmp";
        scene.on(2, column).await.parse::<usize>().unwrap()
    };
    for delay in ["", ", delay: 10ms"] {
        let before = wrong().await;
        scene
            .while_broken(&format!("link: {{targets: {{nodes: [n1]}}, corrupt: 0.3{delay}}}"), async || {
                let echoes = echoes(scene, 1000, 64).await;
                assert!(!echoes.contains(&u32::MAX), "what is wrong is noticed");
                let lost = 1000 - echoes.len();
                assert!((150..450).contains(&lost), "{lost} of 1000{delay}");
                let noticed = wrong().await - before;
                // A bit of the ports or of the length may be wrong too: nobody is sent to what then comes.
                assert!(noticed > lost / 2, "{noticed} checksums were wrong of {lost}");
                let _: u64 = scene.probe(2, "bytes", 1, 7000).await.parse().unwrap();
            })
            .await;
    }
    assert_whole(scene).await;
}

/// A megabyte back from n1 at four megabits a second takes two seconds.
pub(crate) async fn a_late_link_has_its_rate(scene: &Scene) {
    scene
        .while_broken("link: {targets: {nodes: [n1]}, rate: 4mbit, delay: 10ms, to: [n2]}", async || {
            let slow: u64 = scene.probe(2, "bytes", 1, 7000).await.parse().unwrap();
            assert!((1500..20_000).contains(&slow), "{slow} ms");
            let other: u64 = scene.probe(3, "bytes", 1, 7000).await.parse().unwrap();
            assert!(other < 1500, "another peer is not slowed: {other} ms");
        })
        .await;
}

/// Datagrams that are cut up on the way, and a stream whose packets the kernel bundles.
pub(crate) async fn large_packets_and_streams_come_whole(scene: &Scene) {
    scene
        .while_broken("link: {targets: {nodes: [n1]}, delay: 20ms, jitter: 1ms, duplicate: 0.1}", async || {
            assert_doubled(&echoes(scene, 200, 9000).await, 200);
            let took: u64 = scene.probe(2, "bytes", 1, 7000).await.parse().unwrap();
            println!("  a megabyte over 20 ms: {took} ms");
        })
        .await;
}

pub(crate) async fn ipv6_is_late_as_well(scene: &Scene) {
    scene
        .by_ipv6(async |scene| {
            scene
                .while_broken("link: {targets: {nodes: [n1]}, delay: 20ms, reorder: 0.3, duplicate: 0.1}", async || {
                    for size in [64, 9000] {
                        let echoes = echoes(scene, 400, size).await;
                        assert_doubled(&echoes, 400);
                        assert!(echoes.windows(2).filter(|pair| pair[1] < pair[0]).count() > 20, "{size}");
                    }
                })
                .await;
            assert_whole(scene).await;
        })
        .await;
}

pub(crate) async fn traffic_flows_when_the_helper_is_killed(scene: &Scene) {
    let mut is_killed = false;
    let said = scene
        .while_it_lasts("link: {targets: {nodes: [n1]}, delay: 300ms}", async || {
            let helper = scene.on(1, "pgrep -f 'agent-[0-9a-f]* .*lin[k]' || true").await;
            if helper.is_empty() {
                println!("skipped: the kernel has netem");
                return;
            }
            is_killed = true;
            assert!(roundtrip(scene, 2, 1).await >= 300);
            scene.on(1, &format!("kill -9 {}", helper.replace('\n', " "))).await;
            assert!(roundtrip(scene, 2, 1).await < 300);
            assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
            assert_whole(scene).await;
        })
        .await;
    assert_eq!(said.is_some_and(|said| said.contains("no longer in force") && said.contains("does not run")), is_killed);
}

/// Neither the kernel nor the helper can do it.
pub(crate) async fn what_nobody_can_do_is_said_before_the_run(scene: &Scene) {
    let tools = "tc iptables ip6tables nft";
    hide(scene, 1, tools).await;
    let error = scene.while_injected(&["link: {targets: {nodes: [n1]}, delay: 300ms}"], async || {}).await.unwrap_err();
    assert!(error.to_string().contains("n1: the kernel has no netem"), "{error}");
    show(scene, 1, tools).await;
}
