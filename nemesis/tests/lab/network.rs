//! Who can talk to whom, and how well.

use futures_util::future::join_all;

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
    assert!(said[1].2.as_ref().is_some_and(|why| why.contains("no target process or connection found on n3")), "{said:?}");
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
    // A name server on n2, as far as a question and an answer go.
    answer_names(scene, 2).await;
    let ask = async || asked(scene, 1, 2).await;
    assert_eq!(ask().await, "ok");
    scene.while_broken("dns: {targets: {nodes: [n1]}}", async || assert_eq!(ask().await, "silence")).await;
    // The kernel has its own word for what is refused on the way out.
    scene.while_broken("dns: {targets: {nodes: [n1]}, by: reject}", async || assert_eq!(ask().await, "error")).await;
    assert_eq!(ask().await, "ok");
    answer_no_names(scene, 2).await;
}

/// What a node is told when it asks another for a name.
async fn asked(scene: &Scene, from: usize, to: usize) -> String {
    scene.on(from, &format!("{PROBE} probe name {}", scene.cluster.nodes[to - 1].address)).await
}

/// Starts what answers questions for names, and waits until it does.
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

/// Ten deviations to both sides of the mean of 200.
async fn half_may_be_lost(scene: &Scene) {
    scene
        .while_broken("loss: {targets: {nodes: [n2]}, share: 0.5}", async || {
            let heard: u32 = scene.probe(1, "udp", 2, 7000).await.parse().unwrap();
            assert!((100..300).contains(&heard), "{heard} of 400");
        })
        .await;
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

/// How many of the six links between three nodes are silent.
async fn silent(scene: &Scene) -> usize {
    let links = [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)];
    let found = join_all(links.map(|(from, to)| scene.probe(from, "tcp", to, 7000))).await;
    found.iter().filter(|found| *found == "silence").count()
}

/// A connection takes both directions. Of three nodes, a ring of majorities has each hear all but one.
pub(crate) async fn every_shape_cuts_as_many_links_as_it_should(scene: &Scene) {
    let scene = &scene.with_system("{name: led, start: {command: 'sleep 86397'}, primary: 'echo n2'}");
    let shapes = [("one-node", 4), ("halves", 4), ("majority-minority", 4), ("bridge", 2), ("primaries-apart", 4), ("{random: 1}", 6)];
    for (shape, expected) in shapes {
        scene.while_broken(&format!("partition: {{shape: {shape}}}"), async || assert_eq!(silent(scene).await, expected, "{shape}")).await;
    }
    for shape in ["majorities-ring", "uneven-majorities"] {
        scene
            .while_broken(&format!("partition: {{shape: {shape}}}"), async || {
                let silent = silent(scene).await;
                assert!(silent <= 6 && silent % 2 == 0, "{shape}: {silent}");
            })
            .await;
    }
}

/// Who is not heard hears the questions of others, who do not hear the answers.
pub(crate) async fn who_is_not_heard_hears(scene: &Scene) {
    scene
        .while_broken("partition: {shape: {groups: [[n1], [n2, n3]]}, direction: outbound, protocol: udp}", async || {
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["ok", "ok"], "TCP is spared");
            let before = datagrams(scene, 1).await;
            assert_eq!(scene.probe(2, "udp", 1, 7000).await, "0", "n2 hears no answers");
            assert!(datagrams(scene, 1).await >= before + 400, "n1 heard all the questions");
            let before = datagrams(scene, 2).await;
            assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0");
            assert!(datagrams(scene, 2).await < before + 100, "n2 heard no questions");
            assert_eq!(scene.probe(3, "udp", 2, 7000).await, "400");
        })
        .await;
}

/// How many datagrams a node's servers have been given.
async fn datagrams(scene: &Scene, node: usize) -> u64 {
    let column = "awk '/^Udp:/ {if (n) print $n; else for (i = 1; i <= NF; i++) if ($i == \"InDatagrams\") n = i}' /proc/net/snmp";
    scene.on(node, column).await.parse().unwrap()
}

/// Neighbours are looked for anew, as they are after a while.
pub(crate) async fn ipv6_is_cut_as_well(scene: &Scene) {
    let forget = async |scene: &Scene| {
        for node in 1..=3 {
            scene.on(node, "ip -6 neigh flush dev eth0").await;
        }
    };
    scene
        .by_ipv6(async |scene| {
            assert_eq!(heard(scene, &[(1, 2), (2, 3), (3, 1)], 7000).await, ["ok"; 3]);
            for by in [("drop", "silence"), ("reset", "refused")] {
                scene
                    .while_broken(&format!("partition: {{shape: {{groups: [[n1], [n2, n3]]}}, by: {}}}", by.0), async || {
                        assert_eq!(heard(scene, &[(1, 2), (2, 1), (2, 3)], 7000).await, [by.1, by.1, "ok"]);
                    })
                    .await;
            }
            let arrived =
                async || scene.on(2, "awk '$1 == \"Udp6InDatagrams\" { print $2 }' /proc/net/snmp6").await.parse::<u64>().unwrap();
            scene
                .while_broken("partition: {shape: {groups: [[n1], [n2, n3]]}, direction: inbound}", async || {
                    forget(scene).await;
                    let before = arrived().await;
                    assert_eq!(scene.probe(1, "udp", 2, 7000).await, "0", "n1 hears no answers");
                    assert!(arrived().await >= before + 390, "n2 heard the questions of who knows where it is");
                })
                .await;
            scene
                .while_broken("isolate: {targets: {nodes: [n2]}, spare: [7001]}", async || {
                    forget(scene).await;
                    assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7001).await, ["ok", "ok"], "neighbours are found");
                    assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["silence", "silence"]);
                })
                .await;
            half_may_be_lost(scene).await;
            let held = Held::open(scene).await;
            scene.while_broken("sever: {targets: {nodes: [n2]}}", async || assert_eq!(held.asked(1).await, "reset")).await;
            held.close().await;
        })
        .await;
}

pub(crate) async fn isolation_has_its_directions_and_answers(scene: &Scene) {
    for (how, links) in [
        ("direction: inbound", ["silence", "silence"]),
        ("direction: outbound", ["silence", "silence"]),
        ("by: reject", ["refused", "refused"]),
        ("by: reset", ["refused", "refused"]),
    ] {
        scene
            .while_broken(&format!("isolate: {{targets: {{nodes: [n2]}}, {how}}}"), async || {
                let before = datagrams(scene, 1).await;
                assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, links, "{how}");
                scene.on(2, &format!("{PROBE} probe udp {} 7000 || true", scene.cluster.nodes[0].address)).await;
                let arrived = datagrams(scene, 1).await - before;
                assert_eq!(arrived >= 400, how == "direction: inbound", "{how}: {arrived} of n2's arrived");
            })
            .await;
    }
}

/// On a node without tools for packets, a plain cut is made by rules of routing; SSH is spared all the same.
pub(crate) async fn routing_does_as_well(scene: &Scene) {
    let tools = "iptables ip6tables nft";
    hide(scene, 2, tools).await;
    scene
        .while_broken("partition: {shape: {groups: [[n2], [n1, n3]]}}", async || {
            assert_eq!(scene.on(2, "ip rule | grep -c blackhole").await, "2");
            assert_eq!(heard(scene, &[(1, 2), (2, 1), (1, 3)], 7000).await, ["silence", "silence", "ok"]);
            let ssh = scene.cluster.nodes[1].host.port();
            assert_eq!(heard(scene, &[(1, 2)], ssh).await, ["ok"], "SSH is spared");
        })
        .await;
    let error = scene.while_injected(&["isolate: {targets: {nodes: [n2]}}"], async || {}).await.unwrap_err().to_string();
    assert!(error.contains("n2: neither iptables nor nftables"), "{error}");
    show(scene, 2, tools).await;
}

/// Where a tool is, all links followed; empty where it is not.
const PLACE: &str = "PATH=$PATH:/usr/sbin:/sbin; place() { readlink -f \"$(command -v $1)\"; }";

/// Mounts what does not work over tools, as a node's own root may not be writable.
pub(crate) async fn hide(scene: &Scene, node: usize, tools: &str) {
    let over = "[ -z \"$place\" ] || grep -q \" $place \" /proc/mounts || mount --bind /tmp/broken \"$place\"";
    let broken = "printf '#!/bin/sh\\nexit 1\\n' >/tmp/broken; chmod 755 /tmp/broken";
    scene.on(node, &format!("{PLACE}; {broken}; for tool in {tools}; do place=$(place $tool); {over}; done")).await;
}

/// Takes it away.
pub(crate) async fn show(scene: &Scene, node: usize, tools: &str) {
    scene.on(node, &format!("{PLACE}; for tool in {tools}; do umount \"$(place $tool)\" 2>/dev/null; done; rm /tmp/broken")).await;
}

/// The same on a node whose iptables does not work.
pub(crate) async fn nftables_do_as_well(scene: &Scene) {
    if scene.on(2, "command -v nft || :").await.is_empty() {
        println!("skipped: nftables is not installed");
        return;
    }
    let tools = "iptables ip6tables";
    hide(scene, 2, tools).await;
    let tables = async || scene.on(2, "nft list tables | grep -c elenchus").await;
    scene
        .while_broken("partition: {shape: {groups: [[n2], [n1, n3]]}, by: reset, ports: [7000]}", async || {
            assert_eq!(tables().await, "1");
            assert_eq!(heard(scene, &[(1, 2), (2, 1)], 7000).await, ["refused", "refused"]);
            assert_eq!(heard(scene, &[(1, 2)], 7001).await, ["ok"]);
        })
        .await;
    half_may_be_lost(scene).await;
    scene
        .while_broken("isolate: {targets: {nodes: [n2]}}", async || {
            assert_eq!(tables().await, "2", "one for each family");
            assert_eq!(heard(scene, &[(1, 2), (2, 1), (2, 2)], 7000).await, ["silence", "silence", "ok"]);
        })
        .await;
    answer_names(scene, 1).await;
    scene.while_broken("dns: {targets: {nodes: [n2]}}", async || assert_eq!(asked(scene, 2, 1).await, "silence")).await;
    assert_eq!(asked(scene, 2, 1).await, "ok");
    answer_no_names(scene, 1).await;
    show(scene, 2, tools).await;
}
