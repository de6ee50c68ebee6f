//! The specimen without a defect.

use serde_json::{Value, json};

use crate::cluster::Cluster;

#[tokio::test]
async fn every_node_serves_writes_made_on_any_node() {
    let cluster = Cluster::start(3, None).await;
    assert_eq!(cluster.read("n1", "x").await, Some((200, json!({ "value": null }))));
    assert_eq!(cluster.write("n2", "x", json!(1)).await, Some((200, json!({ "done": true }))));
    for name in cluster.names() {
        assert_eq!(cluster.read(&name, "x").await, Some((200, json!({ "value": 1 }))));
    }
    assert_eq!(cluster.cas("n3", "x", json!(1), json!([2])).await, Some((200, json!({ "swapped": true }))));
    assert_eq!(cluster.cas("n1", "x", json!(1), json!(3)).await, Some((200, json!({ "swapped": false }))));
    assert_eq!(cluster.cas("n1", "a%20%2F%C3%A9", Value::Null, json!("new")).await, Some((200, json!({ "swapped": true }))));
    assert_eq!(cluster.read("n2", "a%20%2F%C3%A9").await, Some((200, json!({ "value": "new" }))));
    assert_eq!(cluster.read("n2", "x").await, Some((200, json!({ "value": [2] }))));
}

#[tokio::test]
async fn a_new_leader_is_elected_when_the_leader_is_killed_and_no_write_is_lost() {
    let cluster = Cluster::start(3, None).await;
    for round in 0..3 {
        let leader = cluster.leader().await;
        assert_eq!(cluster.write(&leader, "x", json!(round)).await, Some((200, json!({ "done": true }))));
        cluster.kill(&[&leader]);
        let next = cluster.leader().await;
        assert_ne!(next, leader);
        assert_eq!(cluster.read_eventually(&next, "x").await, json!(round));
        cluster.start_node(&leader);
        assert_eq!(cluster.read_eventually(&leader, "x").await, json!(round));
    }
}

#[tokio::test]
async fn a_restarted_cluster_has_all_writes() {
    let cluster = Cluster::start(3, None).await;
    for value in 0..10 {
        cluster.write_eventually("n1", &format!("k{value}"), json!(value)).await;
    }
    for name in cluster.names() {
        assert!(cluster.stop(&name).await.success(), "{}", cluster.output(&name));
    }
    cluster.start_all();
    cluster.leader().await;
    for value in 0..10 {
        assert_eq!(cluster.read_eventually("n2", &format!("k{value}")).await, json!(value));
    }
}

#[tokio::test]
async fn a_minority_refuses_operations_and_reports_unknown_effects() {
    let cluster = Cluster::start(3, None).await;
    cluster.kill(&["n1", "n2"]);
    let read = cluster.read("n3", "x").await.unwrap();
    assert_eq!((read.0, &read.1["effect"]), (503, &json!("none")), "{read:?}");
    let isolated = cluster
        .eventually("end of the old leader", async || {
            cluster.status("n3").await.filter(|status| status.leader.as_deref() != Some("n1") && status.leader.as_deref() != Some("n2"))
        })
        .await;
    let write = cluster.write("n3", "x", json!(1)).await.unwrap();
    // Without a leader nothing is passed to Raft; a leader without followers has passed it.
    let effect = if isolated.leader.is_none() { "none" } else { "unknown" };
    assert_eq!((write.0, &write.1["effect"]), (503, &json!(effect)), "{write:?}");
}

#[tokio::test]
async fn a_majority_creates_the_cluster_and_the_others_join() {
    let cluster = Cluster::prepare(3, None).await;
    cluster.start_node("n2");
    cluster.eventually("an answer", async || cluster.status("n2").await).await;
    let refused = cluster.write("n2", "x", json!(1)).await.unwrap();
    assert_eq!((refused.0, &refused.1["effect"]), (503, &json!("none")), "{refused:?}");
    cluster.start_node("n1");
    let leader = cluster.leader().await;
    cluster.write_eventually(&leader, "x", json!(1)).await;
    cluster.start_node("n3");
    assert_eq!(cluster.read_eventually("n3", "x").await, json!(1));
}

#[tokio::test]
async fn malformed_requests_are_refused_without_effect() {
    let cluster = Cluster::start(1, None).await;
    for body in [json!({}), json!({ "valu": 1 }), json!([])] {
        let (code, answer) = cluster.ask("n1", reqwest::Method::PUT, "/v1/keys/x", Some(body)).await.unwrap();
        assert!((400..500).contains(&code) && answer["effect"] == "none", "{code} {answer}");
    }
    assert_eq!(cluster.read("n1", "x").await, Some((200, json!({ "value": null }))));
}
