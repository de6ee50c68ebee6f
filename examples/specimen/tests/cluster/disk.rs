//! Starting with a file that a crash, damage or an operator left behind.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use serde_json::json;

use crate::cluster::Cluster;

async fn cluster_with_writes(size: usize) -> Cluster {
    let cluster = Cluster::start(size, None).await;
    for value in 0..20 {
        cluster.write_eventually("n1", "x", json!(value)).await;
    }
    cluster
}

#[tokio::test]
async fn an_incomplete_record_is_cut_off() {
    let cluster = cluster_with_writes(1).await;
    cluster.kill(&["n1"]);
    let whole = fs::read(cluster.log("n1")).unwrap();
    let mut log = OpenOptions::new().append(true).open(cluster.log("n1")).unwrap();
    // The beginning of a record, as an interrupted write leaves it.
    log.write_all(&whole[8..40]).unwrap();
    cluster.start_node("n1");
    cluster.leader().await;
    assert_eq!(cluster.read_eventually("n1", "x").await, 19);
    assert!(cluster.output("n1").contains("cut off"), "{}", cluster.output("n1"));
    assert!(fs::read(cluster.log("n1")).unwrap().starts_with(&whole));
}

#[tokio::test]
async fn a_node_with_a_corrupt_file_refuses_to_start() {
    let cluster = cluster_with_writes(1).await;
    cluster.kill(&["n1"]);
    let mut bytes = fs::read(cluster.log("n1")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(cluster.log("n1"), bytes).unwrap();
    cluster.start_node("n1");
    assert!(!cluster.ended("n1").await.success());
    let output = cluster.output("n1");
    assert!(output.contains("specimen.log is corrupt at byte") && !output.contains("panicked"), "{output}");
}

#[tokio::test]
async fn the_file_of_another_node_is_refused() {
    let cluster = cluster_with_writes(2).await;
    cluster.kill(&["n1", "n2"]);
    fs::copy(cluster.log("n2"), cluster.log("n1")).unwrap();
    cluster.start_node("n1");
    assert!(!cluster.ended("n1").await.success());
    assert!(cluster.output("n1").contains("belongs to n2 of n1, n2, not to n1 of n1, n2"), "{}", cluster.output("n1"));
}

#[tokio::test]
async fn a_node_that_lost_its_file_catches_up() {
    let cluster = cluster_with_writes(3).await;
    cluster.kill(&["n1"]);
    File::create(cluster.log("n1")).unwrap();
    cluster.start_node("n1");
    let leader = cluster.leader_of(&["n2", "n3"]).await;
    cluster.write_eventually(&leader, "y", json!(1)).await;
    cluster.settled().await;
    assert_eq!(cluster.read_eventually("n1", "x").await, 19);
}
