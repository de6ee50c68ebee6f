//! Bank: money moves between accounts, and every read sees the same total.
//!
//! Under snapshot isolation a read of all accounts sees each transfer wholly or not at all, so balances always add up to the same total. A
//! total that differs proves a read skew or a lost update.
//!
//! Options: `total`, what balances add up to (without it, what most reads add up to); `accounts`, the accounts there are (without it, any);
//! `negative-balances`, whether balances may be negative (false).

use std::collections::BTreeMap;

use elenchus_core::{Kind, Operation, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::intern::name;
use super::order::succeeded;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker of bank tests.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    /// What balances add up to; none for what most reads add up to.
    pub total: Option<i64>,
    /// The accounts there are; none for any.
    pub accounts: Option<Vec<Value>>,
    /// Whether balances may be negative.
    pub negative_balances: bool,
}

/// What is wrong with a read, the gravest first: one read has one fault, as in Jepsen.
enum Fault<'h> {
    UnexpectedAccount(&'h Value),
    NilBalance(&'h Value),
    WrongTotal(i128),
    NegativeBalance(&'h Value, i64),
}

impl Invariant for Bank {
    const DESCRIPTION: Description = Description {
        name: "bank",
        about: "whether transfers between accounts preserve the total that every read sees",
        proves: "every read saw the same total",
        source: "jepsen.tests.bank",
        vocabulary: &[
            Word {
                f: "transfer",
                input: Shape::Fields(&[("from", Shape::Some("account")), ("to", Shape::Some("account")), ("amount", Shape::Int("n"))]),
                output: Shape::Any,
            },
            Word { f: "read", input: Shape::Any, output: Shape::Map(&Shape::Either(&[Shape::Int("balance"), Shape::Nil])) },
        ],
        anomalies: &[
            ("unexpected-account", "a read shows an account that does not exist"),
            ("nil-balance", "a read shows an account without a balance"),
            ("wrong-total", "the balances of a read do not add up to the total"),
            ("negative-balance", "a read shows a balance below zero"),
        ],
        options: &[
            OptionEntry::new("total", "a whole number")
                .default("the sum that most reads show")
                .example("100")
                .about("the sum of all balances"),
            OptionEntry::new("accounts", "a list of accounts")
                .default("any accounts")
                .example("[0, 1, 2]")
                .about("the accounts that exist"),
            OptionEntry::flag("negative-balances", "false").about("whether balances may be negative"),
        ],
        splits_by_key: true,
    };

    fn from_options(options: &OptionValues<'_>) -> Result<Bank, BuildError> {
        Ok(Bank {
            total: options.get("total", serde_json::Value::as_i64)?,
            accounts: options.get("accounts", |list| serde_json::from_value(list.clone()).ok())?,
            negative_balances: options.flag("negative-balances")?.unwrap_or_default(),
        })
    }

    fn judge(&self, part: &Part<'_>, report: &mut Report) {
        let reads = || succeeded(&part.operations, "read");
        let Some((total, witness)) = self.reference(reads()) else {
            report.doubt("no read succeeded");
            return;
        };
        let accounts: Option<FxHashSet<Value>> =
            self.accounts.as_ref().map(|accounts| accounts.iter().map(|it| name(it).into_owned()).collect());
        let (mut count, mut by_node, mut wrong_by_node) = (0, BTreeMap::new(), BTreeMap::new());
        for read in reads() {
            count += 1;
            let fault = self.fault(read, total, accounts.as_ref());
            if let Some(node) = read.node {
                let slot = |groups: &mut BTreeMap<_, u64>| *groups.entry(node).or_default() += 1;
                slot(&mut by_node);
                if fault.is_some() {
                    slot(&mut wrong_by_node);
                }
            }
            match fault {
                None => {}
                Some(Fault::UnexpectedAccount(account)) => report.found("unexpected-account", || {
                    Evidence::new(format!("A read shows account {}, which does not exist.", short(account)), [read])
                }),
                Some(Fault::NilBalance(account)) => report
                    .found("nil-balance", || Evidence::new(format!("A read shows account {} without a balance.", short(account)), [read])),
                Some(Fault::NegativeBalance(account, balance)) => report.found("negative-balance", || {
                    Evidence::new(format!("A read shows account {} with a balance of {balance}.", short(account)), [read])
                }),
                Some(Fault::WrongTotal(sum)) => report.found("wrong-total", || {
                    let evidence =
                        Evidence::new(format!("The balances of a read add up to {sum}, not {total}."), witness.into_iter().chain([read]));
                    match witness {
                        None => evidence,
                        Some(witness) => evidence
                            .because(format!("Transfers preserve the total, and most reads, like {}, add up to {total}.", witness.invoked)),
                    }
                }),
            }
        }
        report.count("reads", count);
        let named = |groups: BTreeMap<_, u64>| groups.into_iter().map(|(node, count)| (part.history.node_name(node), count)).collect();
        report.groups("reads_by_node", named(by_node));
        report.groups("wrong_by_node", named(wrong_by_node));
    }
}

impl Bank {
    /// The total, and a read that shows it where it was not given: what most reads without another fault add up to, of several the one seen
    /// first. None without reads.
    fn reference<'a, 'h: 'a>(&self, reads: impl Iterator<Item = &'a Operation<'h>>) -> Option<(i128, Option<&'a Operation<'h>>)> {
        let mut sums: FxHashMap<i128, (u64, &Operation<'_>)> = FxHashMap::default();
        for read in reads {
            if let Some(total) = self.total {
                return Some((i128::from(total), None));
            }
            let sum = balances(read).filter_map(|(_, balance)| balance.as_int()).map(i128::from).sum();
            sums.entry(sum).or_insert((0, read)).0 += 1;
        }
        let most = sums.into_iter().max_by_key(|(_, (count, first))| (*count, std::cmp::Reverse(first.invoked)))?;
        Some((most.0, Some(most.1.1)))
    }

    fn fault<'h>(&self, read: &Operation<'h>, total: i128, accounts: Option<&FxHashSet<Value>>) -> Option<Fault<'h>> {
        let unexpected = accounts.and_then(|known| balances(read).find(|(account, _)| !known.contains(&*name(account))));
        if let Some((account, _)) = unexpected {
            return Some(Fault::UnexpectedAccount(account));
        }
        if let Some((account, _)) = balances(read).find(|(_, balance)| balance.is_nil()) {
            return Some(Fault::NilBalance(account));
        }
        let sum = balances(read).filter_map(|(_, balance)| balance.as_int()).map(i128::from).sum();
        if sum != total {
            return Some(Fault::WrongTotal(sum));
        }
        let mut negative =
            balances(read).filter_map(|(account, balance)| Some((account, balance.as_int().filter(|balance| *balance < 0)?)));
        negative.next().filter(|_| !self.negative_balances).map(|(account, balance)| Fault::NegativeBalance(account, balance))
    }
}

fn balances<'h>(read: &Operation<'h>) -> impl Iterator<Item = (&'h Value, &'h Value)> {
    debug_assert_eq!(read.kind, Kind::Ok);
    let pairs: &[(Value, Value)] = match read.output {
        Some(Value::Map(pairs)) => pairs,
        _ => &[],
    };
    pairs.iter().map(|(account, balance)| (account, balance))
}
