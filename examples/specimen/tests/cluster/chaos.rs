//! Many concurrent clients while nodes are killed, partitioned and restarted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The increments of a counter: how many succeeded, and how many may have.
#[derive(Default)]
struct Counts {
    done: AtomicU64,
    maybe: AtomicU64,
}

/// Increments the counter `x` by a read and a compare-and-set, on one node after the other.
async fn increment(cluster: &Cluster, first: usize, counts: &Counts, end: &AtomicBool) {
    let names = cluster.names();
    for attempt in first.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        let name = &names[attempt % names.len()];
        let Some((200, read)) = cluster.read(name, "x").await else { continue };
        let next = read["value"].as_u64().unwrap_or(0) + 1;
        match cluster.cas(name, "x", read["value"].clone(), json!(next)).await {
            Some((200, answer)) if answer["swapped"] == true => counts.done.fetch_add(1, Ordering::Relaxed),
            Some((200, _)) => continue,
            Some((503, refusal)) if refusal["effect"] == "none" => continue,
            _ => counts.maybe.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Waits for a number of further successful increments.
async fn await_increments(cluster: &Cluster, counts: &Counts, increments: u64) {
    let target = counts.done.load(Ordering::Relaxed) + increments;
    cluster.eventually("progress", async || (counts.done.load(Ordering::Relaxed) >= target).then_some(())).await;
}

/// Partitions and kills one leader after the other while clients increment. Returns the counts and the counter's final value.
async fn count(rounds: usize) -> (Counts, Value) {
    let cluster = Cluster::start(3, None).await;
    let (counts, end) = (Counts::default(), AtomicBool::new(false));
    let clients = async {
        tokio::join!(increment(&cluster, 0, &counts, &end), increment(&cluster, 1, &counts, &end), increment(&cluster, 2, &counts, &end))
    };
    let faults = async {
        for _ in 0..rounds {
            let leader = cluster.leader().await;
            cluster.isolate(&leader, true);
            let rest: Vec<String> = cluster.names().into_iter().filter(|name| *name != leader).collect();
            cluster.leader_of(&[&rest[0], &rest[1]]).await;
            await_increments(&cluster, &counts, 20).await;
            cluster.isolate(&leader, false);
            await_increments(&cluster, &counts, 20).await;
            let leader = cluster.leader().await;
            cluster.kill(&[&leader]);
            await_increments(&cluster, &counts, 20).await;
            cluster.start_node(&leader);
            await_increments(&cluster, &counts, 20).await;
        }
        end.store(true, Ordering::Relaxed);
    };
    tokio::join!(clients, faults);
    let value = cluster.read_eventually("n1", "x").await;
    (counts, value)
}

#[tokio::test]
async fn no_increment_is_lost_or_applied_twice() {
    let (counts, value) = count(2).await;
    let (done, maybe) = (counts.done.into_inner(), counts.maybe.into_inner());
    let value = value.as_u64().unwrap();
    assert!(
        (done..=done + maybe).contains(&value),
        "{done} increments succeeded and {maybe} may have succeeded, but the counter is {value}"
    );
}
