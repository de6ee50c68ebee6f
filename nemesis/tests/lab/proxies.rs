//! Proxies between clients and a server.

use crate::network::{OpenConnection, hide, show};
use crate::scene::{PROBE, Scene};

/// The result of a request: the bytes received of the 1000-byte reply, how it ended, and its duration in milliseconds.
type Asked = (usize, String, u64);

fn read(said: &str) -> Vec<Asked> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[0].parse().unwrap(), words[1].to_owned(), words[2].parse().unwrap())
    };
    said.lines().map(line).collect()
}

/// Sends requests from n2 to n1.
async fn ask(scene: &Scene, count: usize) -> Vec<Asked> {
    let address = &scene.cluster.nodes[0].address;
    read(&scene.on(2, &format!("{PROBE} probe ask {address} 7007 {count}")).await)
}

/// Sends requests from the control node to n1.
async fn ask_from_here(scene: &Scene, count: usize) -> Vec<Asked> {
    let words = ["probe", "ask", &scene.cluster.nodes[0].address, "7007", &count.to_string()].map(str::to_owned);
    let probe = tokio::process::Command::new(std::env::current_exe().unwrap()).args(words).output();
    read(&String::from_utf8_lossy(&probe.await.unwrap().stdout))
}

/// The number of requests that n1 has received since its start.
async fn asked(scene: &Scene) -> u64 {
    scene.on(1, &format!("{PROBE} probe asked 127.0.0.1")).await.parse().unwrap()
}

fn all_are(asked: &[Asked], count: usize, how: &str) -> bool {
    asked.iter().all(|(bytes, ended, _)| (*bytes, ended.as_str()) == (count, how))
}

/// Runs `during` while a proxy in front of n1 applies `how` to the other nodes.
async fn while_between(scene: &Scene, how: &str, during: impl AsyncFnOnce()) {
    assert_eq!(until_killed(scene, how, during).await, None, "{how}");
}

/// The same for a proxy that may be killed; returns the doubt that the heal reports.
async fn until_killed(scene: &Scene, how: &str, during: impl AsyncFnOnce()) -> Option<String> {
    let line = format!("proxy: {{targets: {{nodes: [n1]}}, port: 7007, from: nodes, how: {how}}}");
    let said = scene.while_active_or_ended(&line, during).await;
    assert!(all_are(&ask(scene, 3).await, 1000, "ok"), "after {how} is healed");
    said
}

pub(crate) async fn replies_are_lost_after_requests_arrived(scene: &Scene) {
    while_between(scene, "{lose_replies: 1}", async || {
        let before = asked(scene).await;
        let replies = ask(scene, 20).await;
        assert!(all_are(&replies, 0, "reset"), "{replies:?}");
        assert_eq!(asked(scene).await - before, 20);
    })
    .await;
    while_between(scene, "{lose_replies: 0.3}", async || {
        let before = asked(scene).await;
        let replies = ask(scene, 200).await;
        let lost = replies.iter().filter(|(bytes, how, _)| (*bytes, how.as_str()) == (0, "reset")).count();
        let whole = replies.iter().filter(|(bytes, how, _)| (*bytes, how.as_str()) == (1000, "ok")).count();
        assert!((20..120).contains(&lost) && lost + whole == 200, "{lost} lost, {whole} whole");
        assert_eq!(asked(scene).await - before, 200);
    })
    .await;
}

pub(crate) async fn messages_are_cut_off(scene: &Scene) {
    for (by, how) in [("reset", "reset"), ("close", "closed")] {
        while_between(scene, &format!("{{cut: {{share: 1, after: 300, by: {by}}}}}"), async || {
            let before = asked(scene).await;
            let replies = ask(scene, 10).await;
            assert!(all_are(&replies, 300, how), "{replies:?}");
            assert_eq!(asked(scene).await - before, 10);
        })
        .await;
    }
    while_between(scene, "{cut: {share: 1}}", async || {
        let replies = ask(scene, 20).await;
        assert!(replies.iter().all(|(bytes, how, _)| (1..1000).contains(bytes) && how == "reset"), "{replies:?}");
        assert!(replies.iter().any(|(bytes, ..)| *bytes != replies[0].0), "every message is cut at the same place");
    })
    .await;
    while_between(scene, "{cut: {share: 1, of: requests, after: 3}}", async || {
        let before = asked(scene).await;
        let replies = ask(scene, 10).await;
        assert!(all_are(&replies, 0, "reset"), "{replies:?}");
        assert_eq!(asked(scene).await, before, "three bytes are not a request");
    })
    .await;
}

pub(crate) async fn replies_stall_or_are_delayed(scene: &Scene) {
    while_between(scene, "{stall: 1}", async || {
        let before = asked(scene).await;
        let replies = ask(scene, 2).await;
        assert!(all_are(&replies, 0, "silence"), "{replies:?}");
        assert_eq!(asked(scene).await - before, 2);
    })
    .await;
    while_between(scene, "{delay: 300ms}", async || {
        let replies = ask(scene, 5).await;
        assert!(all_are(&replies, 1000, "ok") && replies.iter().all(|(.., millis)| *millis >= 300), "{replies:?}");
    })
    .await;
}

pub(crate) async fn requests_are_replayed(scene: &Scene) {
    while_between(scene, "{replay: 1}", async || {
        let before = asked(scene).await;
        let replies = ask(scene, 20).await;
        assert!(all_are(&replies, 1000, "ok"), "{replies:?}");
        let mut count = 0;
        // Replayed requests arrive asynchronously.
        for _ in 0..100 {
            count = asked(scene).await - before;
            if count == 40 {
                break;
            }
        }
        assert_eq!(count, 40);
    })
    .await;
}

pub(crate) async fn connections_are_kept_or_reset(scene: &Scene) {
    let proxy = "targets: {nodes: [n2]}, port: 7000, from: nodes, how: {delay: 1ms}";
    let connection = OpenConnection::open(scene).await;
    assert_eq!(connection.exchange(1).await, "ok");
    scene
        .while_active(&format!("proxy: {{{proxy}}}"), async || {
            assert_eq!(connection.exchange(2).await, "ok", "the existing connection is kept");
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "ok");
        })
        .await;
    assert_eq!(connection.exchange(3).await, "ok");
    scene
        .while_active(&format!("proxy: {{{proxy}, sever: true}}"), async || {
            assert_eq!(connection.exchange(4).await, "reset");
            assert_eq!(scene.probe(1, "tcp", 2, 7000).await, "ok");
        })
        .await;
    connection.close().await;
    // A proxied connection is closed with the proxy.
    let mut through = None;
    scene
        .while_active(&format!("proxy: {{{proxy}}}"), async || {
            let connection = OpenConnection::open(scene).await;
            assert_eq!(connection.exchange(1).await, "ok");
            through = Some(connection);
        })
        .await;
    let connection = through.unwrap();
    assert_ne!(connection.exchange(2).await, "ok");
    connection.close().await;
}

pub(crate) async fn clients_and_nodes_are_distinguished(scene: &Scene) {
    for (from, node, client) in [("nodes", "reset", "ok"), ("clients", "ok", "reset"), ("all", "reset", "reset")] {
        scene
            .while_active(&format!("proxy: {{targets: {{nodes: [n1]}}, port: 7007, from: {from}, how: {{lose_replies: 1}}}}"), async || {
                assert_eq!(ask(scene, 1).await[0].1, node, "{from}");
                assert_eq!(ask_from_here(scene, 1).await[0].1, client, "{from}");
                let itself = scene.on(1, &format!("{PROBE} probe ask 127.0.0.1 7007 1")).await;
                assert_eq!(read(&itself)[0].1, "ok");
                assert_eq!(scene.probe(2, "tcp", 1, 7000).await, "ok", "another port");
            })
            .await;
        assert_eq!(ask_from_here(scene, 1).await[0].1, "ok");
    }
}

/// A node whose iptables does not work.
pub(crate) async fn nftables_replaces_iptables(scene: &Scene) {
    hide(scene, 1, "iptables ip6tables").await;
    for from in ["nodes", "all"] {
        scene
            .while_active(&format!("proxy: {{targets: {{nodes: [n1]}}, port: 7007, from: {from}, how: {{lose_replies: 1}}}}"), async || {
                assert!(!scene.on(1, "nft list tables | grep elenchus_proxy").await.is_empty());
                assert!(all_are(&ask(scene, 3).await, 0, "reset"));
            })
            .await;
        assert!(all_are(&ask(scene, 3).await, 1000, "ok"));
    }
    show(scene, 1, "iptables ip6tables").await;
}

pub(crate) async fn ipv6_is_proxied_too(scene: &Scene) {
    scene
        .by_ipv6(async |scene| {
            while_between(scene, "{cut: {share: 1, after: 300}}", async || {
                let replies = ask(scene, 5).await;
                assert!(all_are(&replies, 300, "reset"), "{replies:?}");
            })
            .await;
        })
        .await;
}

/// Clients reach the server directly.
pub(crate) async fn traffic_flows_when_the_proxy_is_killed(scene: &Scene) {
    let said = until_killed(scene, "{lose_replies: 1}", async || {
        assert!(all_are(&ask(scene, 1).await, 0, "reset"));
        scene.on(1, "pkill -KILL '^agent-'").await;
        let mut replies = Vec::new();
        for _ in 0..100 {
            replies = ask(scene, 1).await;
            if all_are(&replies, 1000, "ok") {
                return;
            }
        }
        panic!("{replies:?}");
    })
    .await;
    assert!(said.is_some_and(|said| said.contains("no longer in force")));
}

pub(crate) async fn a_proxy_killed_with_its_session_is_healed(scene: &Scene) {
    let said = until_killed(scene, "{delay: 1ms}", async || {
        assert!(all_are(&ask(scene, 1).await, 1000, "ok"));
        scene.on(1, "read -r leader since </run/elenchus/jobs/proxy-1.pid && pkill -KILL -s $leader").await;
        assert!(all_are(&ask(scene, 1).await, 0, "refused"));
    })
    .await;
    assert!(said.is_some_and(|said| said.contains("no longer in force")));
}

pub(crate) async fn ssh_is_never_proxied(scene: &Scene) {
    let port = scene.cluster.nodes[0].host.port();
    let line = format!("proxy: {{targets: {{nodes: [n1]}}, port: {port}, how: {{lose_replies: 1}}}}");
    let why = match scene.run_faults(&[&line], async || {}).await {
        Ok((said, _)) => format!("{said:?}"),
        Err(error) => error.to_string(),
    };
    assert!(why.contains("the port of SSH"), "{why}");
}

/// Alterations keep HTTP and Redis replies well-formed; plain bytes can become anything.
pub(crate) async fn altered_replies_stay_well_formed(scene: &Scene) {
    let of = async |port: u16| scene.probe(2, "reply", 1, port).await;
    let (http, redis) = (of(7010).await, of(7011).await);
    assert!(http.ends_with(r#"{\"value\":\"faithful\",\"count\":538}"#) && redis == r"$8\r\nfaithful\r\n", "{http} {redis}");
    for (protocol, port, whole) in [("http", 7010, &http), ("redis", 7011, &redis), ("bytes", 7011, &redis)] {
        let how = format!("{{lose_replies: 0, alter: {{share: 1, protocol: {protocol}}}}}");
        let line = format!("proxy: {{targets: {{nodes: [n1]}}, port: {port}, from: nodes, how: {how}}}");
        scene
            .while_active(&line, async || {
                let mut altered = 0;
                for _ in 0..10 {
                    let said = of(port).await;
                    altered += u32::from(said != *whole);
                    match protocol {
                        "http" => {
                            let (head, body) = said.rsplit_once(r"\r\n\r\n").unwrap_or_else(|| panic!("{said}"));
                            assert!(whole.starts_with(head), "{said}");
                            let body: serde_json::Value =
                                serde_json::from_str(&body.replace(r#"\""#, "\"")).unwrap_or_else(|_| panic!("{said}"));
                            assert!(body["value"].as_str().is_some_and(|text| text.len() == 8) && body["count"].is_u64(), "{said}");
                        }
                        "redis" => {
                            let text = said.strip_prefix(r"$8\r\n").and_then(|rest| rest.strip_suffix(r"\r\n"));
                            assert!(text.is_some_and(|text| text.len() == 8), "{said}");
                        }
                        _ => assert!(!said.is_empty()),
                    }
                }
                assert_eq!(altered, 10, "{protocol}");
            })
            .await;
        assert_eq!(of(port).await, *whole, "healed");
    }
}
