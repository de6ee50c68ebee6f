use std::collections::BTreeMap;

use elenchus_core::Seed;

use super::*;

fn roster(count: usize) -> Roster {
    let zones = BTreeMap::from([("east".to_owned(), vec!["n1".to_owned(), "n2".into()]), ("west".to_owned(), vec!["n3".to_owned()])]);
    let nodes = (1..=count).map(|number| format!("n{number}")).collect();
    if count < 3 { Roster::of(nodes) } else { Roster::new(nodes, &zones).unwrap() }
}

fn injection(yaml: &str) -> Injection {
    let partition: Partition = serde_yaml::from_str(yaml).unwrap();
    partition.check(&roster(5)).unwrap();
    match partition.decide(&roster(5), &mut Seed(7).stream("t")) {
        Decision::Injection(injection) => injection,
        Decision::Primaries { seed } => (&partition as &dyn Fault).at_primaries(&roster(5), &[1, 3], seed),
    }
}

#[test]
fn shapes_cut_what_they_say() {
    assert_eq!(injection("shape: one_node").nodes.len(), 1);
    assert_eq!(injection("{}").nodes.len(), 2);
    assert_eq!(injection("shape: majorities_ring").nodes.len(), 5);
    assert_eq!(injection("shape: bridge").nodes.len(), 4);
    assert_eq!(injection("shape: primaries_apart").description, "n2 | n4 | n1, n3 and n5");
    let groups = injection("shape: {groups: [[n1, n2], [n5]]}");
    assert_eq!((groups.description.as_str(), groups.grudge.len(), groups.nodes), ("n1 and n2 | n5", 3, vec![4]));
    assert_eq!(injection("shape: {groups: [[n1], [n2], [n3]]}").nodes, [0, 1]);
    assert_eq!(injection("shape: zones").description, "n1 and n2 | n3");
    let zone = injection("shape: one_zone").description;
    assert!(zone == "n1 and n2 | n3, n4 and n5" || zone == "n3 | n1, n2, n4 and n5", "{zone}");
    assert_eq!(injection("shape: {random: 1}").grudge.len(), 5);
}

#[test]
fn one_way_partitions_need_rules_on_one_side() {
    let deaf = injection("{shape: {groups: [[n1], [n2, n3]]}, direction: inbound}");
    assert_eq!((deaf.description.as_str(), deaf.grudge.len()), ("n1 not receiving from n2 and n3", 1));
    let mute = injection("{shape: {groups: [[n1], [n2, n3]]}, direction: outbound}");
    assert_eq!((mute.description.as_str(), mute.grudge.len()), ("n1 not sending to n2 and n3", 2));
    let primaries = injection("{shape: primaries_apart, direction: inbound}");
    assert_eq!(primaries.grudge.len(), 2);
}

#[test]
fn descriptions_have_the_settings() {
    let said = injection("{shape: {groups: [[n1], [n2]]}, protocol: tcp, ports: [2380], by: reset, connections: left}");
    assert_eq!(said.description, "n1 | n2 (TCP, port 2380, reset, connections left)");
}

#[test]
fn impossible_partitions_are_rejected() {
    let refusal = |yaml: &str, count: usize| serde_yaml::from_str::<Partition>(yaml).unwrap().check(&roster(count)).unwrap_err();
    assert!(refusal("shape: bridge", 2).contains("needs 3 nodes"));
    assert!(refusal("{shape: bridge, direction: inbound}", 5).contains("no first side"));
    assert!(refusal("shape: {groups: [[n1], [n1]]}", 5).contains("twice"));
    assert!(refusal("shape: {groups: [[n1]]}", 5).contains("two groups"));
    assert!(refusal("shape: {groups: [[n1], [n9]]}", 5).contains("no node `n9`"));
    assert!(refusal("shape: zones", 2).contains("two `zones`"));
    assert!(refusal("shape: {random: 1.5}", 5).contains("at most 1"));
    assert!(refusal("ports: [0]", 5).contains("port 0"));
    assert!(refusal("ports: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]", 5).contains("at most 15"));
}
