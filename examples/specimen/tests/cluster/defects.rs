//! Each defect is revealed by the fault that provokes it, and only if it is enabled.

use serde_json::{Value, json};

use crate::cluster::Cluster;

fn others(cluster: &Cluster, name: &str) -> Vec<String> {
    cluster.names().into_iter().filter(|other| other != name).collect()
}

fn effect(answer: &Option<(u16, Value)>) -> Option<&str> {
    answer.as_ref().filter(|(code, _)| *code == 503)?.1["effect"].as_str()
}

/// A follower's answer to a read while it is partitioned from the others, which have acknowledged a newer write.
async fn read_behind_a_partition(defect: Option<&'static str>) -> Option<(u16, Value)> {
    let cluster = Cluster::start(3, defect).await;
    let leader = cluster.leader().await;
    cluster.write_everywhere(&leader, "x", json!("old")).await;
    let follower = others(&cluster, &leader).remove(0);
    cluster.isolate(&follower, true);
    assert_eq!(cluster.write(&leader, "x", json!("new")).await, Some((200, json!({ "done": true }))));
    let answer = cluster.read(&follower, "x").await;
    cluster.isolate(&follower, false);
    // After the heal, the follower must return the new value.
    cluster.eventually("the second value", async || (cluster.read(&follower, "x").await?.1["value"] == "new").then_some(())).await;
    answer
}

#[tokio::test]
async fn reads_are_stale_only_with_stale_reads() {
    assert_eq!(read_behind_a_partition(Some("stale-reads")).await, Some((200, json!({ "value": "old" }))));
    let refused = read_behind_a_partition(None).await;
    assert_eq!(effect(&refused), Some("none"), "{refused:?}");
}

/// The answers of a partitioned leader to a write and then a read, and the key's value after the heal.
async fn write_to_a_partitioned_leader(defect: Option<&'static str>) -> (Option<(u16, Value)>, Option<(u16, Value)>, Value) {
    let cluster = Cluster::start(3, defect).await;
    let leader = cluster.leader().await;
    cluster.write_everywhere(&leader, "x", json!("before")).await;
    cluster.isolate(&leader, true);
    let written = cluster.write(&leader, "x", json!("partitioned")).await;
    let read = cluster.read(&leader, "x").await;
    let others = others(&cluster, &leader);
    let next = cluster.leader_of(&[&others[0], &others[1]]).await;
    // Without another committed entry, Raft might rightly keep the partitioned leader's write.
    cluster.write_eventually(&next, "y", json!(1)).await;
    cluster.isolate(&leader, false);
    cluster.leader().await;
    let value = cluster.read_eventually(&next, "x").await;
    (written, read, value)
}

#[tokio::test]
async fn acknowledged_writes_are_lost_only_with_early_ack() {
    let (written, read, value) = write_to_a_partitioned_leader(Some("early-ack")).await;
    assert_eq!((written, read), (Some((200, json!({ "done": true }))), Some((200, json!({ "value": "partitioned" })))));
    assert_eq!(value, "before");
    let (written, read, value) = write_to_a_partitioned_leader(None).await;
    assert_eq!((effect(&written), effect(&read)), (Some("unknown"), Some("none")), "{written:?} {read:?}");
    assert_eq!(value, "before");
}

#[tokio::test]
async fn the_leader_reads_writes_acknowledged_early() {
    let cluster = Cluster::start(3, Some("early-ack")).await;
    for value in 0..50 {
        assert_eq!(cluster.write("n1", "x", json!(value)).await, Some((200, json!({ "done": true }))));
        assert_eq!(cluster.read("n2", "x").await, Some((200, json!({ "value": value }))));
        assert_eq!(cluster.cas("n3", "x", json!(value), json!([value])).await, Some((200, json!({ "swapped": true }))));
        assert_eq!(cluster.cas("n3", "x", json!(value), json!(null)).await, Some((200, json!({ "swapped": false }))));
    }
}

/// The value of a key that was written just before all nodes were killed.
async fn write_before_killing_all(defect: Option<&'static str>) -> Value {
    let cluster = Cluster::start(3, defect).await;
    cluster.write_eventually("n1", "x", json!("kept")).await;
    // An orderly stop writes the records that the defect delays.
    for name in cluster.names() {
        assert!(cluster.stop(&name).await.success());
    }
    cluster.start_all();
    let leader = cluster.leader().await;
    assert_eq!(cluster.read_eventually(&leader, "x").await, "kept");
    assert_eq!(cluster.write(&leader, "x", json!("acknowledged")).await, Some((200, json!({ "done": true }))));
    cluster.kill(&["n1", "n2", "n3"]);
    cluster.start_all();
    let leader = cluster.leader().await;
    cluster.read_eventually(&leader, "x").await
}

#[tokio::test]
async fn acknowledged_writes_are_lost_on_kill_only_with_lost_fsync() {
    assert_eq!(write_before_killing_all(None).await, "acknowledged");
    // On a busy machine the half second may have passed before the kill.
    for _ in 0..10 {
        match write_before_killing_all(Some("lost-fsync")).await {
            value if value == "kept" => return,
            value => assert_eq!(value, "acknowledged"),
        }
    }
    panic!("nothing was lost in ten kills");
}
