//! What a node makes of the file that it finds.

use std::fs::{self, File, OpenOptions};
use std::io::Write;

use serde_json::json;

use crate::cluster::Cluster;

async fn written(size: usize) -> Cluster {
    let cluster = Cluster::start(size, None).await;
    for value in 0..20 {
        cluster.write_at_last("n1", "x", json!(value)).await;
    }
    cluster
}

#[tokio::test]
async fn what_a_crash_left_unfinished_is_cut_off() {
    let cluster = written(1).await;
    cluster.kill(&["n1"]);
    let whole = fs::read(cluster.log("n1")).unwrap();
    let mut log = OpenOptions::new().append(true).open(cluster.log("n1")).unwrap();
    // The beginning of a record, as a write that was interrupted leaves it.
    log.write_all(&whole[8..40]).unwrap();
    cluster.start_node("n1");
    cluster.leader().await;
    assert_eq!(cluster.read_at_last("n1", "x").await, 19);
    assert!(cluster.output("n1").contains("cut off"), "{}", cluster.output("n1"));
    assert!(fs::read(cluster.log("n1")).unwrap().starts_with(&whole));
}

#[tokio::test]
async fn a_node_that_was_damaged_refuses_to_start() {
    let cluster = written(1).await;
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
async fn the_data_of_another_node_are_refused() {
    let cluster = written(2).await;
    cluster.kill(&["n1", "n2"]);
    fs::copy(cluster.log("n2"), cluster.log("n1")).unwrap();
    cluster.start_node("n1");
    assert!(!cluster.ended("n1").await.success());
    assert!(cluster.output("n1").contains("belongs to n2 of n1, n2, not to n1 of n1, n2"), "{}", cluster.output("n1"));
}

#[tokio::test]
async fn a_node_that_lost_its_disk_is_brought_up_to_date() {
    let cluster = written(3).await;
    cluster.kill(&["n1"]);
    File::create(cluster.log("n1")).unwrap();
    cluster.start_node("n1");
    let leader = cluster.leader_of(&["n2", "n3"]).await;
    cluster.write_at_last(&leader, "y", json!(1)).await;
    cluster.settled().await;
    assert_eq!(cluster.read_at_last("n1", "x").await, 19);
}
