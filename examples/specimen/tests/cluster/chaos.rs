//! Many clients at once while nodes are killed, cut off and started again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// How many of the increments of a counter were done, and how many may have been.
#[derive(Default)]
struct Tally {
    done: AtomicU64,
    perhaps: AtomicU64,
}

/// Increments the counter `x` by reading and setting it, at one node after the other.
async fn increment(cluster: &Cluster, first: usize, tally: &Tally, end: &AtomicBool) {
    let names = cluster.names();
    for turn in first.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        let name = &names[turn % names.len()];
        let Some((200, read)) = cluster.read(name, "x").await else { continue };
        let next = read["value"].as_u64().unwrap_or(0) + 1;
        match cluster.cas(name, "x", read["value"].clone(), json!(next)).await {
            Some((200, answer)) if answer["swapped"] == true => tally.done.fetch_add(1, Ordering::Relaxed),
            Some((200, _)) => continue,
            Some((503, refusal)) if refusal["effect"] == "none" => continue,
            _ => tally.perhaps.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Waits until so many more increments are done.
async fn progress(cluster: &Cluster, tally: &Tally, increments: u64) {
    let enough = tally.done.load(Ordering::Relaxed) + increments;
    cluster.at_last("progress", async || (tally.done.load(Ordering::Relaxed) >= enough).then_some(())).await;
}

/// Cuts off and kills leader after leader while clients increment, and gives what was counted and what the counter says at the end.
async fn count(rounds: usize) -> (Tally, Value) {
    let cluster = Cluster::start(3, None).await;
    let (tally, end) = (Tally::default(), AtomicBool::new(false));
    let clients = async {
        tokio::join!(increment(&cluster, 0, &tally, &end), increment(&cluster, 1, &tally, &end), increment(&cluster, 2, &tally, &end))
    };
    let trouble = async {
        for _ in 0..rounds {
            let leader = cluster.leader().await;
            cluster.isolate(&leader, true);
            let rest: Vec<String> = cluster.names().into_iter().filter(|name| *name != leader).collect();
            cluster.leader_of(&[&rest[0], &rest[1]]).await;
            progress(&cluster, &tally, 20).await;
            cluster.isolate(&leader, false);
            progress(&cluster, &tally, 20).await;
            let leader = cluster.leader().await;
            cluster.kill(&[&leader]);
            progress(&cluster, &tally, 20).await;
            cluster.start_node(&leader);
            progress(&cluster, &tally, 20).await;
        }
        end.store(true, Ordering::Relaxed);
    };
    tokio::join!(clients, trouble);
    let value = cluster.read_at_last("n1", "x").await;
    (tally, value)
}

#[tokio::test]
async fn no_increment_is_lost_or_done_twice() {
    let (tally, value) = count(2).await;
    let (done, perhaps) = (tally.done.into_inner(), tally.perhaps.into_inner());
    let value = value.as_u64().unwrap();
    assert!(
        (done..=done + perhaps).contains(&value),
        "{done} increments were acknowledged and {perhaps} may have been done, but the counter is {value}"
    );
}
