//! Latency, loss, duplication, reordering and corruption: by netem where the kernel has it, otherwise by the agent.

use crate::network::{hide, show};
use crate::scene::{PROBE, Scene};

/// The numbers of the packets from n2 to n1 that come back, in order of arrival.
async fn echoes(scene: &Scene, count: u32, size: usize) -> Vec<u32> {
    let address = &scene.cluster.nodes[0].address;
    let said = scene.on(2, &format!("{PROBE} probe echoes {address} 7000 {count} {size}")).await;
    said.split_whitespace().map(|number| number.parse().unwrap()).collect()
}

/// The least round-trip time in milliseconds.
async fn roundtrip(scene: &Scene, from: usize, to: usize) -> u32 {
    scene.probe(from, "roundtrip", to, 7000).await.parse().unwrap()
}

/// How often each number below `count` occurs.
fn times(echoes: &[u32], count: u32) -> Vec<usize> {
    (0..count).map(|number| echoes.iter().filter(|&&other| other == number).count()).collect()
}

/// Every packet arrives unchanged, once or twice. The kernel may lose a few per cent: when the host of a virtual machine suspends a
/// processor for a while, reordered fragments can be too far apart (`ipfrag_max_dist`).
fn assert_doubled(echoes: &[u32], count: u32) {
    let times = times(echoes, count);
    assert_eq!(times.iter().sum::<usize>(), echoes.len(), "unexpected packets: {echoes:?}");
    let lost = times.iter().filter(|&&times| times == 0).count();
    assert!(lost <= count as usize / 20 && times.contains(&2) && times.iter().all(|&times| times <= 2), "{times:?}");
}

async fn assert_clean(scene: &Scene) {
    assert_eq!(echoes(scene, 200, 64).await, (0..200).collect::<Vec<_>>());
}

pub(crate) async fn latency_applies_to_packets_for_the_given_peers(scene: &Scene) {
    scene
        .while_active("link: {targets: {nodes: [n1]}, to: [n2], delay: 300ms, jitter: 50ms, distribution: normal}", async || {
            // The minimum is four standard deviations below the mean.
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
    assert_clean(scene).await;
}

/// A third of the packets, in runs of seven on average; without bursts the average would be 1.5.
pub(crate) async fn packets_are_lost_in_bursts(scene: &Scene) {
    let runs = async || {
        let lost: Vec<bool> = times(&echoes(scene, 1500, 64).await, 1500).iter().map(|&times| times == 0).collect();
        let (count, runs) =
            (lost.iter().filter(|&&lost| lost).count(), lost.windows(2).filter(|pair| pair == &[false, true]).count().max(1));
        (count, count as f64 / runs as f64)
    };
    scene
        .while_active("link: {targets: {nodes: [n1]}, loss: 0.3}", async || {
            let (lost, length) = runs().await;
            assert!((270..630).contains(&lost) && length < 2.0, "{lost} lost in runs of {length}");
        })
        .await;
    scene
        .while_active("link: {targets: {nodes: [n1]}, loss: 0.3, burst: 0.8}", async || {
            let (lost, length) = runs().await;
            assert!((150..1200).contains(&lost) && length > 3.0, "{lost} lost in runs of {length}");
        })
        .await;
    scene
        .while_active("link: {targets: all, loss: 1}", async || {
            assert!(echoes(scene, 50, 64).await.is_empty());
            assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "silence");
            let ssh = scene.cluster.nodes[0].host.port();
            assert_eq!(scene.probe(2, "tcp", 1, ssh).await, "ok", "SSH is not affected");
        })
        .await;
    assert_clean(scene).await;
}

pub(crate) async fn packets_are_duplicated(scene: &Scene) {
    for delay in ["", ", delay: 20ms"] {
        scene
            .while_active(&format!("link: {{targets: {{nodes: [n1]}}, duplicate: 0.3{delay}}}"), async || {
                let times = times(&echoes(scene, 1000, 64).await, 1000);
                assert!(times.iter().all(|times| [1, 2].contains(times)), "none is lost and none arrives more than twice");
                let doubled = times.iter().filter(|&&times| times == 2).count();
                assert!((150..450).contains(&doubled), "{doubled} of 1000{delay}");
            })
            .await;
    }
    assert_clean(scene).await;
}

pub(crate) async fn packets_are_reordered(scene: &Scene) {
    for how in ["delay: 30ms, reorder: 0.3", "delay: 30ms, jitter: 25ms"] {
        scene
            .while_active(&format!("link: {{targets: {{nodes: [n1]}}, {how}}}"), async || {
                let echoes = echoes(scene, 1000, 64).await;
                assert!(times(&echoes, 1000).iter().all(|&times| times == 1), "each arrives once");
                let behind = echoes.windows(2).filter(|pair| pair[1] < pair[0]).count();
                assert!(behind > 50, "{how}: {behind} of 1000");
            })
            .await;
    }
    scene
        .while_active("link: {targets: {nodes: [n1]}, delay: 30ms}", async || {
            assert_eq!(echoes(scene, 1000, 64).await, (0..1000).collect::<Vec<_>>(), "packets with equal latency keep their order");
        })
        .await;
}

/// The receiver's kernel counts and drops packets with a wrong checksum.
pub(crate) async fn packets_are_corrupted(scene: &Scene) {
    let wrong = async || {
        let column = "awk '/^Udp:/ {if (n) print $n; else for (i = 1; i <= NF; i++) if ($i == \"InCsumErrors\") n = i}' /proc/net/snmp";
        scene.on(2, column).await.parse::<usize>().unwrap()
    };
    for delay in ["", ", delay: 10ms"] {
        let before = wrong().await;
        scene
            .while_active(&format!("link: {{targets: {{nodes: [n1]}}, corrupt: 0.3{delay}}}"), async || {
                let echoes = echoes(scene, 1000, 64).await;
                assert!(!echoes.contains(&u32::MAX), "corrupted packets are detected");
                let lost = 1000 - echoes.len();
                assert!((150..450).contains(&lost), "{lost} of 1000{delay}");
                let noticed = wrong().await - before;
                // A flipped bit in the ports or the length can make the kernel drop the packet before it checks the checksum.
                assert!(noticed > lost / 2, "{noticed} wrong checksums for {lost} lost packets");
                let _: u64 = scene.probe(2, "bytes", 1, 7000).await.parse().unwrap();
            })
            .await;
    }
    assert_clean(scene).await;
}

/// One megabyte at 4 Mbit/s takes two seconds.
pub(crate) async fn latency_and_rate_combine(scene: &Scene) {
    scene
        .while_active("link: {targets: {nodes: [n1]}, rate: 4mbit, delay: 10ms, to: [n2]}", async || {
            let slow: u64 = scene.probe(2, "bytes", 1, 7000).await.parse().unwrap();
            assert!((1500..20_000).contains(&slow), "{slow} ms");
            let other: u64 = scene.probe(3, "bytes", 1, 7000).await.parse().unwrap();
            assert!(other < 1500, "other peers are not slowed: {other} ms");
        })
        .await;
}

/// Fragmented datagrams, and a stream whose packets the kernel coalesces.
pub(crate) async fn large_packets_and_streams_arrive_complete(scene: &Scene) {
    scene
        .while_active("link: {targets: {nodes: [n1]}, delay: 20ms, jitter: 1ms, duplicate: 0.1}", async || {
            assert_doubled(&echoes(scene, 200, 9000).await, 200);
            let took: u64 = scene.probe(2, "bytes", 1, 7000).await.parse().unwrap();
            println!("  a megabyte over 20 ms: {took} ms");
        })
        .await;
}

pub(crate) async fn ipv6_is_delayed_too(scene: &Scene) {
    scene
        .by_ipv6(async |scene| {
            scene
                .while_active("link: {targets: {nodes: [n1]}, delay: 20ms, reorder: 0.3, duplicate: 0.1}", async || {
                    for size in [64, 9000] {
                        let echoes = echoes(scene, 400, size).await;
                        assert_doubled(&echoes, 400);
                        assert!(echoes.windows(2).filter(|pair| pair[1] < pair[0]).count() > 20, "{size}");
                    }
                })
                .await;
            assert_clean(scene).await;
        })
        .await;
}

pub(crate) async fn traffic_flows_when_the_agent_is_killed(scene: &Scene) {
    // Without `tc` the agent impairs the link, also where the kernel has netem.
    hide(scene, 1, "tc").await;
    let said = scene
        .while_active_or_ended("link: {targets: {nodes: [n1]}, delay: 300ms}", async || {
            let agent = scene.on(1, "pgrep -f 'agent-[0-9a-f]* .*lin[k]'").await;
            assert!(roundtrip(scene, 2, 1).await >= 300);
            scene.on(1, &format!("kill -9 {}", agent.replace('\n', " "))).await;
            assert!(roundtrip(scene, 2, 1).await < 300);
            assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok");
            assert_clean(scene).await;
        })
        .await;
    assert!(said.is_some_and(|said| said.contains("no longer in force") && said.contains("it is not running")));
    show(scene, 1, "tc").await;
}

/// Neither the kernel nor the agent can impair the link.
pub(crate) async fn unsupported_links_are_refused_before_the_run(scene: &Scene) {
    let tools = "tc iptables ip6tables nft";
    hide(scene, 1, tools).await;
    let error = scene.run_faults(&["link: {targets: {nodes: [n1]}, delay: 300ms}"], async || {}).await.unwrap_err();
    assert!(error.to_string().contains("n1: the kernel has no netem"), "{error}");
    show(scene, 1, tools).await;
}
