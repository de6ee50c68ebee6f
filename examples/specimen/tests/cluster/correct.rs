//! Without a defect.

use serde_json::{Value, json};

use crate::cluster::Cluster;

#[tokio::test]
async fn every_node_serves_what_any_node_was_told() {
    let cluster = Cluster::start(3, None).await;
    assert_eq!(cluster.read("n1", "x").await, Some((200, json!({ "value": null }))));
    assert_eq!(cluster.write("n2", "x", json!(1)).await, Some((200, json!({}))));
    for name in cluster.names() {
        assert_eq!(cluster.read(&name, "x").await, Some((200, json!({ "value": 1 }))));
    }
    assert_eq!(cluster.cas("n3", "x", json!(1), json!([2])).await, Some((200, json!({ "swapped": true }))));
    assert_eq!(cluster.cas("n1", "x", json!(1), json!(3)).await, Some((200, json!({ "swapped": false }))));
    assert_eq!(cluster.cas("n1", "a%20%2F%C3%A9", Value::Null, json!("new")).await, Some((200, json!({ "swapped": true }))));
    assert_eq!(cluster.read("n2", "a%20%2F%C3%A9").await, Some((200, json!({ "value": "new" }))));
    assert_eq!(cluster.read("n2", "x").await, Some((200, json!({ "value": [2] }))));
}
