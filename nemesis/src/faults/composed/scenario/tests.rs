use elenchus_core::Seed;

use super::*;
use crate::Decision;

fn roster() -> Roster {
    Roster::of((1..=5).map(|number| format!("n{number}")).collect())
}

fn read(yaml: &str) -> Scenario {
    serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

/// One of each, with what it cannot do without.
fn one_of_each() -> Vec<Scenario> {
    let settings = |name: &str| match name {
        "health_checks_only" => "{ports: [8080]}",
        "slow_disk_and_loss" => "{path: /var/lib}",
        _ => "{}",
    };
    LIBRARY.iter().map(|entry| read(&format!("{{{}: {}}}", entry.name, settings(entry.name)))).collect()
}

#[test]
fn the_library_names_every_scenario() {
    for (entry, scenario) in LIBRARY.iter().zip(one_of_each()) {
        let written = serde_json::to_value(&scenario).unwrap();
        assert_eq!(written.as_object().unwrap().keys().collect::<Vec<_>>(), [entry.name]);
        assert_eq!(scenario.check(&roster()), Ok(()), "{}", entry.name);
        assert!([entry.what, entry.parts].iter().all(|cell| !cell.is_empty() && !cell.ends_with('.')), "cells are phrases: {entry:?}");
    }
    // The schema has all that can be read.
    let schema = serde_json::to_value(schemars::schema_for!(Scenario)).unwrap();
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), LIBRARY.len());
}

#[test]
fn invalid_settings_are_rejected() {
    let complaint = |yaml: &str| read(yaml).check(&roster()).unwrap_err();
    assert!(complaint("{health_checks_only: {}}").contains("`ports` is empty"));
    assert!(complaint("{slow_disk_and_loss: {}}").contains("absolute path"));
    assert!(complaint("{slow_disk_and_loss: {path: /x, share: 2}}").contains("`share`"));
    assert!(complaint("{flapping_link: {cut: 1ms}}").contains("`cut: 1ms` must be 100ms or longer"));
    assert!(read("{send_only: {}}").check(&Roster::of(vec!["n1".into()])).is_err());
    assert!(read("{health_checks_only: {ports: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]}}").check(&roster()).is_err());
}

#[test]
fn the_description_names_the_targets() {
    let scenario = read("{swizzle: {targets: all}}");
    let Decision::Injection(injection) = scenario.decide(&roster(), &mut Seed(1).stream("t")) else {
        panic!("{scenario:?} needs no primary")
    };
    assert_eq!((injection.nodes.as_slice(), injection.grudge.len()), ([0, 1, 2, 3, 4].as_slice(), 5));
    let leader = read("{send_only: {}}");
    assert!(matches!(leader.decide(&roster(), &mut Seed(1).stream("t")), Decision::Primaries { .. }));
    assert_eq!(
        (&leader as &dyn Fault).at_primaries(&roster(), &[2], 7).description,
        "n3 sending to the others, but not receiving from them"
    );
}
