//! Bank.

use elenchus_core::{CheckSpec, History, Operation, Value, Verdict};
use serde_json::json;

use crate::notation::{Naive, World, agrees, check, expect, history, value};

fn spec() -> CheckSpec {
    CheckSpec::new("bank").with("total", 10).with("accounts", json!([0, 1]))
}

const TRANSFER: &str = "0 invoke transfer {:from 0 :to 1 :amount 3}\n0 info transfer {:from 0 :to 1 :amount 3}\n";

#[test]
fn every_anomaly() {
    let read = |balances: &str| format!("{TRANSFER}1@n1 invoke read\n1@n1 ok read {balances}");
    expect(&spec(), &read("{0 7, 1 3}"), Verdict::Valid, &[]);
    expect(&spec(), &read("{0 10, 1 3}"), Verdict::Invalid, &[("wrong-total", 1)]);
    expect(&spec(), &read("{0 11, 1 -1}"), Verdict::Invalid, &[("negative-balance", 1)]);
    expect(&spec().with("negative-balances", true), &read("{0 11, 1 -1}"), Verdict::Valid, &[]);
    expect(&spec(), &read("{0 10, 1 nil}"), Verdict::Invalid, &[("nil-balance", 1)]);
    expect(&spec(), &read("{0 10, 2 0}"), Verdict::Invalid, &[("unexpected-account", 1)]);
    expect(&spec(), TRANSFER, Verdict::Unknown, &[]);
}

#[test]
fn text_keys_of_json_name_the_same_accounts() {
    expect(&spec(), "0 invoke read\n0 ok read {\"0\" 7, \"1\" 3}", Verdict::Valid, &[]);
}

#[test]
fn wrong_reads_are_counted_by_node() {
    let finding = check(&spec(), &history("0@a invoke read\n0@a ok read {0 7, 1 3}\n1@b invoke read\n1@b ok read {0 1, 1 3}"));
    assert_eq!(finding.details["reads_by_node"], json!({"a": 1, "b": 1}));
    assert_eq!(finding.details["wrong_by_node"], json!({"b": 1}));
}

#[test]
fn without_a_total_reads_are_compared_with_each_other() {
    let finding = expect(
        &CheckSpec::new("bank"),
        "0 invoke read\n0 ok read {0 9}\n0 invoke read\n0 ok read {0 10}\n0 invoke read\n0 ok read {0 10}",
        Verdict::Invalid,
        &[("wrong-total", 1)],
    );
    assert_eq!(finding.anomalies[0].operations.len(), 2);
}

/// The definition, applied to each read.
fn naive(_: &History, operations: &[Operation<'_>]) -> Naive {
    let mut naive = Naive { doubtful: true, ..Naive::default() };
    for read in operations.iter().filter(|operation| operation.f == "read") {
        let Some(Value::Map(balances)) = read.output else {
            continue;
        };
        naive.doubtful = false;
        let sum: i64 = balances.iter().map(|(_, balance)| balance.as_int().unwrap_or(0)).sum();
        if balances.iter().any(|(account, _)| *account != Value::Int(0) && *account != Value::Int(1)) {
            naive.found("unexpected-account", 1);
        } else if balances.iter().any(|(_, balance)| balance.is_nil()) {
            naive.found("nil-balance", 1);
        } else if sum != 10 {
            naive.found("wrong-total", 1);
        } else if balances.iter().any(|(_, balance)| *balance < Value::Int(0)) {
            naive.found("negative-balance", 1);
        }
    }
    naive
}

#[test]
fn agrees_with_the_definition() {
    let transfer = value("{:from 0 :to 1 :amount 3}");
    let outputs = ["{0 10 1 0}", "{0 7 1 3}", "{0 7, 1 3}", "{0 7 1 4}", "{0 12 1 -2}", "{0 nil 1 9}", "{0 9 2 1}"].map(value);
    let world = World {
        inputs: vec![("transfer", transfer), ("read", Value::Nil)],
        answer: &|_, _, _, dice| if dice.below(2) == 0 { outputs[0].clone() } else { dice.pick(&outputs).clone() },
        troubles: (10, 20),
    };
    agrees(&spec(), &world, naive, &["unknown", "unexpected-account", "nil-balance", "wrong-total", "negative-balance"]);
}
