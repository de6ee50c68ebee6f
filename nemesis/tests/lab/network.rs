//! Partitions, isolation, DNS, packet loss and link rates.

use futures_util::future::join_all;

use crate::sample::sample;
use crate::scene::{PROBE, Scene};

/// The results of TCP probes along some links.
async fn tcp_probes(scene: &Scene, links: &[(usize, usize)], port: u16) -> Vec<String> {
    join_all(links.iter().map(|&(from, to)| scene.probe(from, "tcp", to, port))).await
}

pub(crate) async fn partitions_cut_both_directions(scene: &Scene) {
    for shape in ["{groups: [[n1], [n2, n3]]}", "one-zone", "zones"] {
        scene
            .while_active(&format!("partition: {{shape: {shape}}}"), async || {
                let links = [(1, 3), (3, 1)];
                assert_eq!(tcp_probes(scene, &links, 7000).await, ["silence", "silence"], "{shape}");
            })
            .await;
    }
}

/// Packets in the other direction arrive: n2 receives questions, but n1 receives no answers.
pub(crate) async fn one_way_partitions_cut_one_direction(scene: &Scene) {
    let count = "nft add table ip t && nft add chain ip t c '{type filter hook input priority -400;}' && \
                 nft add rule ip t c udp dport 7000 counter";
    scene.on(1, count).await;
    scene.on(2, count).await;
    let packets = async |node| scene.on(node, "nft list chain ip t c | sed -n 's/.*packets \\([0-9]*\\) .*/\\1/p'").await;
    scene
        .while_active("partition: {shape: {groups: [[n1], [n2, n3]]}, direction: inbound}", async || {
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0", "n1 receives no answers");
            assert_eq!(packets(2).await, "400", "n2 receives all questions");
            assert_eq!(scene.probe(2, "udp", 1, 7000).await, "0", "n1 receives no questions");
            assert_eq!(tcp_probes(scene, &[(2, 3)], 7000).await, ["ok"]);
        })
        .await;
    for node in [1, 2] {
        scene.on(node, "nft delete table ip t").await;
    }
}

pub(crate) async fn partitions_can_be_limited_to_ports(scene: &Scene) {
    scene
        .while_active("partition: {shape: {groups: [[n1], [n2, n3]]}, protocol: tcp, ports: [7000]}", async || {
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["silence", "silence"]);
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7001).await, ["ok", "ok"]);
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "400", "UDP is not cut");
        })
        .await;
}

pub(crate) async fn partitions_can_reject_or_reset(scene: &Scene) {
    for by in ["reject", "reset"] {
        scene
            .while_active(&format!("partition: {{shape: {{groups: [[n1], [n2, n3]]}}, by: {by}}}"), async || {
                assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["refused", "refused"], "{by}");
            })
            .await;
    }
}

/// A probe on n1 that keeps a connection to n2 open and exchanges a byte on request.
pub(crate) struct OpenConnection<'a>(&'a Scene);

impl OpenConnection<'_> {
    pub(crate) async fn open(scene: &Scene) -> OpenConnection<'_> {
        let address = &scene.cluster.nodes[1].address;
        let hold = format!("tail -n +1 -f /tmp/ask | {PROBE} probe hold {address} 7000 >/tmp/said 2>&1 &");
        scene.on(1, &format!("rm -f /tmp/ask /tmp/said; touch /tmp/ask /tmp/said; ({hold}) </dev/null >/dev/null 2>&1")).await;
        let connection = OpenConnection(scene);
        assert_eq!(connection.output(1).await, "connected");
        connection
    }

    /// The result of the next exchange, which is the `count`th.
    pub(crate) async fn exchange(&self, count: usize) -> String {
        self.0.on(1, "echo >>/tmp/ask").await;
        self.output(count + 1).await
    }

    async fn output(&self, lines: usize) -> String {
        let wait = format!("for i in $(seq 100); do [ $(wc -l </tmp/said) -ge {lines} ] && break; sleep 0.05; done; tail -n 1 /tmp/said");
        self.0.on(1, &wait).await
    }

    pub(crate) async fn close(self) {
        self.0.on(1, "pkill -f 'probe hol[d]'; pkill -x tail; true").await;
    }
}

pub(crate) async fn existing_connections_can_be_kept(scene: &Scene) {
    for (connections, expected) in [("left", "ok"), ("cut", "silence")] {
        let connection = OpenConnection::open(scene).await;
        scene
            .while_active(&format!("partition: {{shape: {{groups: [[n1], [n2, n3]]}}, connections: {connections}}}"), async || {
                assert_eq!(connection.exchange(1).await, expected, "an existing connection, {connections}");
                assert_eq!(tcp_probes(scene, &[(1, 2)], 7000).await, ["silence"], "a new connection");
            })
            .await;
        connection.close().await;
    }
}

pub(crate) async fn connections_can_be_reset(scene: &Scene) {
    let connection = OpenConnection::open(scene).await;
    assert_eq!(connection.exchange(1).await, "ok");
    scene
        .while_active("sever: {targets: {nodes: [n2]}}", async || {
            assert_eq!(connection.exchange(2).await, "reset");
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["ok", "ok"], "new connections work");
        })
        .await;
    connection.close().await;
    let (said, _) = scene.run_faults(&["sever: {targets: {nodes: [n3]}}"], async || {}).await.unwrap();
    assert!(said[1].2.as_ref().is_some_and(|why| why.contains("no target process or connection found on n3")), "{said:?}");
}

/// The result of a TCP probe from the control node.
async fn from_here(scene: &Scene, node: usize) -> String {
    let exe = std::env::current_exe().unwrap();
    let probe = tokio::process::Command::new(exe).args(["probe", "tcp", &scene.cluster.nodes[node - 1].address, "7000"]).output();
    String::from_utf8_lossy(&probe.await.unwrap().stdout).trim().to_owned()
}

pub(crate) async fn isolated_nodes_answer_only_ssh(scene: &Scene) {
    scene
        .while_active("isolate: {targets: {nodes: [n2]}}", async || {
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1), (2, 2)], 7000).await, ["silence", "silence", "ok"]);
            assert_eq!(from_here(scene, 2).await, "silence");
            assert_eq!(from_here(scene, 1).await, "ok");
        })
        .await;
}

pub(crate) async fn only_clients_can_be_cut_off(scene: &Scene) {
    scene
        .while_active("isolate: {targets: {nodes: [n2]}, from: clients, by: reset}", async || {
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["ok", "ok"]);
            assert_eq!(from_here(scene, 2).await, "refused");
        })
        .await;
}

pub(crate) async fn dns_lookups_fail(scene: &Scene) {
    // A minimal name server on n2.
    answer_names(scene, 2).await;
    let ask = async || asked(scene, 1, 2).await;
    assert_eq!(ask().await, "ok");
    scene.while_active("dns: {targets: {nodes: [n1]}}", async || assert_eq!(ask().await, "silence")).await;
    // The kernel reports rejected outgoing packets with another error.
    scene.while_active("dns: {targets: {nodes: [n1]}, by: reject}", async || assert_eq!(ask().await, "error")).await;
    assert_eq!(ask().await, "ok");
    answer_no_names(scene, 2).await;
}

/// The result of a DNS query from one node to another.
async fn asked(scene: &Scene, from: usize, to: usize) -> String {
    scene.on(from, &format!("{PROBE} probe name {}", scene.cluster.nodes[to - 1].address)).await
}

/// Starts a name server and waits until it answers.
async fn answer_names(scene: &Scene, node: usize) {
    scene.on(node, &format!("( setsid {PROBE} probe answer </dev/null >/dev/null 2>&1 & )")).await;
    for _ in 0..100 {
        if asked(scene, node, node).await == "ok" {
            break;
        }
    }
}

async fn answer_no_names(scene: &Scene, node: usize) {
    scene.on(node, "pkill -f 'probe answe[r]'; true").await;
}

pub(crate) async fn packets_are_lost_at_the_given_rate(scene: &Scene) {
    scene
        .while_active("loss: {targets: {nodes: [n2]}, share: 0.3}", async || {
            let heard: f64 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            // The mean of 280 plus or minus ten standard deviations.
            assert!((188.0..372.0).contains(&heard), "{heard} of 400");
        })
        .await;
    assert_eq!(scene.probe(1, "udp", 2, 7000).await, "400");
}

/// The mean of 200 plus or minus ten standard deviations.
async fn half_may_be_lost(scene: &Scene) {
    scene
        .while_active("loss: {targets: {nodes: [n2]}, share: 0.5}", async || {
            let heard: u32 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            assert!((100..300).contains(&heard), "{heard} of 400");
        })
        .await;
}

/// One megabyte at 4 Mbit/s takes two seconds.
pub(crate) async fn link_rates_limit_throughput(scene: &Scene) {
    let millis = async |from, to| scene.probe(from, "bytes", to, 7000).await.parse::<u64>().unwrap();
    assert!(millis(2, 1).await < 1500);
    scene
        .while_active("link: {targets: {nodes: [n1]}, rate: 4mbit, to: [n2]}", async || {
            let slow = millis(2, 1).await;
            assert!((1500..10_000).contains(&slow), "{slow} ms");
            assert!(millis(3, 1).await < 1500, "other peers are not slowed");
        })
        .await;
    assert!(millis(2, 1).await < 1500);
}

/// The number of silent links of the six between three nodes.
async fn silent(scene: &Scene) -> usize {
    let links = [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)];
    let found = join_all(links.map(|(from, to)| scene.probe(from, "tcp", to, 7000))).await;
    found.iter().filter(|found| *found == "silence").count()
}

/// A TCP connection requires both directions. In a majorities ring of three nodes each node is cut off from one other.
pub(crate) async fn every_shape_cuts_the_expected_links(scene: &Scene) {
    let scene = &scene.with_system("{name: led, start: {command: 'sleep 86397'}, primary: 'echo n2'}");
    let shapes = [("one-node", 4), ("halves", 4), ("majority-minority", 4), ("bridge", 2), ("primaries-apart", 4), ("{random: 1}", 6)];
    for (shape, expected) in sample("shapes of partitions", &shapes, 3) {
        scene.while_active(&format!("partition: {{shape: {shape}}}"), async || assert_eq!(silent(scene).await, expected, "{shape}")).await;
    }
    for shape in ["majorities-ring", "uneven-majorities"] {
        scene
            .while_active(&format!("partition: {{shape: {shape}}}"), async || {
                let silent = silent(scene).await;
                assert!(silent <= 6 && silent % 2 == 0, "{shape}: {silent}");
            })
            .await;
    }
}

/// The node whose packets are cut off receives the others' questions; they do not receive its answers.
pub(crate) async fn outbound_partitions_let_inbound_packets_pass(scene: &Scene) {
    scene
        .while_active("partition: {shape: {groups: [[n1], [n2, n3]]}, direction: outbound, protocol: udp}", async || {
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["ok", "ok"], "TCP is not cut");
            let before = datagrams(scene, 1).await;
            assert_eq!(scene.probe(2, "udp", 1, 7000).await, "0", "n2 receives no answers");
            assert!(datagrams(scene, 1).await >= before + 400, "n1 receives all questions");
            let before = datagrams(scene, 2).await;
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0");
            assert!(datagrams(scene, 2).await < before + 100, "n2 receives no questions");
            assert_eq!(scene.probe(3, "udp", 2, 7000).await, "400");
        })
        .await;
}

/// The number of UDP datagrams that a node has received.
async fn datagrams(scene: &Scene, node: usize) -> u64 {
    let column = "awk '/^Udp:/ {if (n) print $n; else for (i = 1; i <= NF; i++) if ($i == \"InDatagrams\") n = i}' /proc/net/snmp";
    scene.on(node, column).await.parse().unwrap()
}

/// Neighbour discovery must keep working, so the neighbour caches are flushed.
pub(crate) async fn ipv6_is_cut_too(scene: &Scene) {
    let forget = async |scene: &Scene| {
        for node in 1..=3 {
            scene.on(node, "ip -6 neigh flush dev eth0").await;
        }
    };
    scene
        .by_ipv6(async |scene| {
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 3), (3, 1)], 7000).await, ["ok"; 3]);
            for by in [("drop", "silence"), ("reset", "refused")] {
                scene
                    .while_active(&format!("partition: {{shape: {{groups: [[n1], [n2, n3]]}}, by: {}}}", by.0), async || {
                        assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1), (2, 3)], 7000).await, [by.1, by.1, "ok"]);
                    })
                    .await;
            }
            let arrived =
                async || scene.on(2, "awk '$1 == \"Udp6InDatagrams\" { print $2 }' /proc/net/snmp6").await.parse::<u64>().unwrap();
            scene
                .while_active("partition: {shape: {groups: [[n1], [n2, n3]]}, direction: inbound}", async || {
                    forget(scene).await;
                    let before = arrived().await;
                    assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0", "n1 receives no answers");
                    assert!(arrived().await >= before + 390, "n2 receives the questions, so n1 has resolved its address");
                })
                .await;
            scene
                .while_active("isolate: {targets: {nodes: [n2]}, spare: [7001]}", async || {
                    forget(scene).await;
                    assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7001).await, ["ok", "ok"], "neighbour discovery works");
                    assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["silence", "silence"]);
                })
                .await;
            half_may_be_lost(scene).await;
            let connection = OpenConnection::open(scene).await;
            scene.while_active("sever: {targets: {nodes: [n2]}}", async || assert_eq!(connection.exchange(1).await, "reset")).await;
            connection.close().await;
        })
        .await;
}

pub(crate) async fn isolation_supports_directions_and_rejections(scene: &Scene) {
    for (how, links) in [
        ("direction: inbound", ["silence", "silence"]),
        ("direction: outbound", ["silence", "silence"]),
        ("by: reject", ["refused", "refused"]),
        ("by: reset", ["refused", "refused"]),
    ] {
        scene
            .while_active(&format!("isolate: {{targets: {{nodes: [n2]}}, {how}}}"), async || {
                let before = datagrams(scene, 1).await;
                assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, links, "{how}");
                scene.on(2, &format!("{PROBE} probe udp {} 7000 || true", scene.cluster.nodes[0].address)).await;
                let arrived = datagrams(scene, 1).await - before;
                assert_eq!(arrived >= 400, how == "direction: inbound", "{how}: {arrived} of n2's arrived");
            })
            .await;
    }
}

/// A node without iptables and nftables: plain partitions use routing rules, which must not cut SSH off.
pub(crate) async fn partitions_fall_back_to_routing_rules(scene: &Scene) {
    let tools = "iptables ip6tables nft";
    hide(scene, 2, tools).await;
    scene
        .while_active("partition: {shape: {groups: [[n2], [n1, n3]]}}", async || {
            assert_eq!(scene.on(2, "ip rule | grep -c blackhole").await, "2");
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1), (1, 3)], 7000).await, ["silence", "silence", "ok"]);
            let ssh = scene.cluster.nodes[1].host.port();
            assert_eq!(tcp_probes(scene, &[(1, 2)], ssh).await, ["ok"], "SSH is not cut");
        })
        .await;
    let error = scene.run_faults(&["isolate: {targets: {nodes: [n2]}}"], async || {}).await.unwrap_err().to_string();
    assert!(error.contains("n2: neither iptables nor nftables"), "{error}");
    show(scene, 2, tools).await;
}

/// `place` prints the canonical path of a tool, or nothing when it is missing.
const FIND_TOOL: &str = "PATH=$PATH:/usr/sbin:/sbin; place() { readlink -f \"$(command -v $1)\"; }";

/// Bind-mounts a failing script over tools, because the root of a node may be read-only.
pub(crate) async fn hide(scene: &Scene, node: usize, tools: &str) {
    let over = "[ -z \"$place\" ] || grep -q \" $place \" /proc/mounts || mount --bind /tmp/broken \"$place\"";
    let broken = "printf '#!/bin/sh\\nexit 1\\n' >/tmp/broken; chmod 755 /tmp/broken";
    scene.on(node, &format!("{FIND_TOOL}; {broken}; for tool in {tools}; do place=$(place $tool); {over}; done")).await;
}

/// Undoes [`hide`].
pub(crate) async fn show(scene: &Scene, node: usize, tools: &str) {
    scene.on(node, &format!("{FIND_TOOL}; for tool in {tools}; do umount \"$(place $tool)\" 2>/dev/null; done; rm /tmp/broken")).await;
}

/// A node whose iptables does not work.
pub(crate) async fn nftables_replaces_iptables(scene: &Scene) {
    let tools = "iptables ip6tables";
    hide(scene, 2, tools).await;
    let tables = async || scene.on(2, "nft list tables | grep -c elenchus").await;
    scene
        .while_active("partition: {shape: {groups: [[n2], [n1, n3]]}, by: reset, ports: [7000]}", async || {
            assert_eq!(tables().await, "1");
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1)], 7000).await, ["refused", "refused"]);
            assert_eq!(tcp_probes(scene, &[(1, 2)], 7001).await, ["ok"]);
        })
        .await;
    half_may_be_lost(scene).await;
    scene
        .while_active("isolate: {targets: {nodes: [n2]}}", async || {
            assert_eq!(tables().await, "2", "one per address family");
            assert_eq!(tcp_probes(scene, &[(1, 2), (2, 1), (2, 2)], 7000).await, ["silence", "silence", "ok"]);
        })
        .await;
    answer_names(scene, 1).await;
    scene.while_active("dns: {targets: {nodes: [n2]}}", async || assert_eq!(asked(scene, 2, 1).await, "silence")).await;
    assert_eq!(asked(scene, 2, 1).await, "ok");
    answer_no_names(scene, 1).await;
    show(scene, 2, tools).await;
}
