//! Who can talk to whom, and how well.

use crate::scene::{PROBE, Scene};

/// What each of three nodes finds of another.
async fn heard(scene: &Scene, links: &[(usize, usize)], port: u16) -> Vec<String> {
    let mut heard = Vec::new();
    for &(from, to) in links {
        heard.push(scene.probe(from, "tcp", to, port).await);
    }
    heard
}

pub(crate) async fn a_partition_is_silent_both_ways(scene: &Scene) {
    for shape in ["{groups: [[n1], [n2, n3]]}", "one-zone", "zones"] {
        scene
            .while_broken(&format!("partition: {{shape: {shape}}}"), async || {
                let links = [(1, 3), (3, 1)];
                assert_eq!(heard(scene, &links, 7000).await, ["silence", "silence"], "{shape}");
            })
            .await;
    }
}

/// Packets of the deaf arrive: the mute get questions whose answers are not heard.
pub(crate) async fn a_one_way_partition_is_heard_one_way(scene: &Scene) {
    let count = "nft add table ip t && nft add chain ip t c '{type filter hook input priority -400;}' && \
                 nft add rule ip t c udp dport 7000 counter";
    scene.on(1, count).await;
    scene.on(2, count).await;
    let packets = async |node| scene.on(node, "nft list chain ip t c | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'").await;
    scene
        .while_broken("partition: {shape: {groups: [[n1], [n2, n3]]}, direction: inbound}", async || {
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0", "n1 hears no answers");
            assert_eq!(packets(2).await, "400", "n2 heard all the questions");
            assert_eq!(scene.probe(2, "udp", 1, 7000).await, "0", "n1 heard no questions to answer");
            assert_eq!(heard(scene, &[(2, 3)], 7000).await, ["ok"]);
        })
        .await;
    for node in [1, 2] {
        scene.on(node, "nft delete table ip t").await;
    }
}

pub(crate) async fn a_port_is_cut_and_others_are_not(scene: &Scene) {
    scene
        .while_broken("partition: {shape: {groups: [[n1], [n2, n3]]}, protocol: tcp, ports: [7000]}", async || {
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["silence", "silence"]);
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7001).await, ["ok", "ok"]);
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "400", "UDP is spared");
        })
        .await;
}

pub(crate) async fn a_cut_may_refuse_or_reset(scene: &Scene) {
    for by in ["reject", "reset"] {
        scene
            .while_broken(&format!("partition: {{shape: {{groups: [[n1], [n2, n3]]}}, by: {by}}}"), async || {
                assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["refused", "refused"], "{by}");
            })
            .await;
    }
}

/// A probe on n1 that keeps a connection to n2, and asks again whenever it is told.
pub(crate) struct Held<'a>(&'a Scene);

impl Held<'_> {
    pub(crate) async fn open(scene: &Scene) -> Held<'_> {
        let address = &scene.cluster.nodes[1].address;
        let hold = format!("tail -n +1 -f /tmp/ask | {PROBE} probe hold {address} 7000 >/tmp/said 2>&1 &");
        scene.on(1, &format!("rm -f /tmp/ask /tmp/said; touch /tmp/ask /tmp/said; ({hold}) </dev/null >/dev/null 2>&1")).await;
        let held = Held(scene);
        assert_eq!(held.said(1).await, "connected");
        held
    }

    /// How the next exchange goes, the `count`th.
    pub(crate) async fn asked(&self, count: usize) -> String {
        self.0.on(1, "echo >>/tmp/ask").await;
        self.said(count + 1).await
    }

    async fn said(&self, lines: usize) -> String {
        let wait = format!("for i in $(seq 100); do [ $(wc -l </tmp/said) -ge {lines} ] && break; sleep 0.05; done; tail -n 1 /tmp/said");
        self.0.on(1, &wait).await
    }

    pub(crate) async fn close(self) {
        self.0.on(1, "pkill -f 'probe hol[d]'; pkill -x tail; true").await;
    }
}

pub(crate) async fn connections_may_be_left(scene: &Scene) {
    for (connections, expected) in [("left", "ok"), ("cut", "silence")] {
        let held = Held::open(scene).await;
        scene
            .while_broken(&format!("partition: {{shape: {{groups: [[n1], [n2, n3]]}}, connections: {connections}}}"), async || {
                assert_eq!(held.asked(1).await, expected, "an old connection, {connections}");
                assert_eq!(heard(scene, &[(1, 2)], 7000).await, ["silence"], "a new one");
            })
            .await;
        held.close().await;
    }
}

pub(crate) async fn connections_may_be_severed(scene: &Scene) {
    let held = Held::open(scene).await;
    assert_eq!(held.asked(1).await, "ok");
    scene
        .while_broken("sever: {targets: {nodes: [n2]}}", async || {
            assert_eq!(held.asked(2).await, "reset");
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["ok", "ok"], "new ones are made");
        })
        .await;
    held.close().await;
    let (said, _) = scene.while_injected(&["sever: {targets: {nodes: [n3]}}"], async || {}).await.unwrap();
    assert!(said[1].2.as_ref().is_some_and(|why| why.contains("nobody to strike on n3")), "{said:?}");
}

/// What a client on the control node finds of a node.
async fn from_here(scene: &Scene, node: usize) -> String {
    let exe = std::env::current_exe().unwrap();
    let probe = tokio::process::Command::new(exe).args(["probe", "tcp", &scene.cluster.nodes[node - 1].address, "7000"]).output();
    String::from_utf8_lossy(&probe.await.unwrap().stdout).trim().to_owned()
}

pub(crate) async fn a_node_may_answer_nothing_but_ssh(scene: &Scene) {
    scene
        .while_broken("isolate: {targets: {nodes: [n2]}}", async || {
            assert_eq!(heard(scene, &[(1, 2), (2, 1), (2, 2)], 7000).await, ["silence", "silence", "ok"]);
            assert_eq!(from_here(scene, 2).await, "silence");
            assert_eq!(from_here(scene, 1).await, "ok");
        })
        .await;
}

pub(crate) async fn clients_may_be_cut_off_alone(scene: &Scene) {
    scene
        .while_broken("isolate: {targets: {nodes: [n2]}, from: clients, by: reset}", async || {
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["ok", "ok"]);
            assert_eq!(from_here(scene, 2).await, "refused");
        })
        .await;
}

pub(crate) async fn names_may_not_be_found(scene: &Scene) {
    let address = scene.cluster.nodes[1].address.clone();
    // A name server on n2, as far as a question and an answer go.
    scene.on(2, &format!("( setsid {PROBE} probe answer </dev/null >/dev/null 2>&1 & )")).await;
    let ask = async || scene.on(1, &format!("{PROBE} probe name {address}")).await;
    for _ in 0..100 {
        if ask().await == "ok" {
            break;
        }
    }
    assert_eq!(ask().await, "ok");
    scene.while_broken("dns: {targets: {nodes: [n1]}}", async || assert_eq!(ask().await, "silence")).await;
    // The kernel has its own word for what is refused on the way out.
    scene.while_broken("dns: {targets: {nodes: [n1]}, by: reject}", async || assert_eq!(ask().await, "error")).await;
    assert_eq!(ask().await, "ok");
    scene.on(2, "pkill -f 'probe answe[r]'; true").await;
}

pub(crate) async fn packets_are_lost_in_their_share(scene: &Scene) {
    scene
        .while_broken("loss: {targets: {nodes: [n2]}, share: 0.3}", async || {
            let heard: f64 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            // Ten deviations to both sides of the mean of 280.
            assert!((188.0..372.0).contains(&heard), "{heard} of 400");
        })
        .await;
    assert_eq!(scene.probe(1, "udp", 2, 7000).await, "400");
}

/// A megabyte back from n1 at four megabits a second takes two seconds.
pub(crate) async fn a_link_is_as_slow_as_its_rate(scene: &Scene) {
    let millis = async |from, to| scene.probe(from, "bytes", to, 7000).await.parse::<u64>().unwrap();
    assert!(millis(2, 1).await < 1500);
    scene
        .while_broken("link: {targets: {nodes: [n1]}, rate: 4mbit, to: [n2]}", async || {
            let slow = millis(2, 1).await;
            assert!((1500..10_000).contains(&slow), "{slow} ms");
            assert!(millis(3, 1).await < 1500, "another peer is not slowed");
        })
        .await;
    assert!(millis(2, 1).await < 1500);
}

/// The same on a node whose iptables does not work.
pub(crate) async fn nftables_do_as_well(scene: &Scene) {
    if scene.on(2, "command -v nft || :").await.is_empty() {
        println!("skipped: nftables is not installed");
        return;
    }
    let hide =
        "for tool in iptables ip6tables; do printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/$tool; chmod 755 /usr/local/sbin/$tool; done";
    scene.on(2, hide).await;
    scene
        .while_broken("partition: {shape: {groups: [[n2], [n1, n3]]}, by: reset, ports: [7000]}", async || {
            assert!(!scene.on(2, "nft list tables | grep elenchus").await.is_empty());
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["refused", "refused"]);
            assert_eq!(heard(scene, &[(1, 2)], 7001).await, ["ok"]);
        })
        .await;
    scene
        .while_broken("loss: {targets: {nodes: [n2]}, share: 0.5}", async || {
            let heard: f64 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            assert!((100.0..300.0).contains(&heard), "{heard} of 400");
        })
        .await;
    scene.on(2, "rm /usr/local/sbin/iptables /usr/local/sbin/ip6tables").await;
}
