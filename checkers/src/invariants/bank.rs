//! Bank: transfers move money between accounts, and every read returns balances with the same total.
//!
//! Under snapshot isolation a read of all accounts observes each transfer completely or not at all, so the balances always add up to the same
//! total. A different total proves read skew or a lost update.
//!
//! Options: `total`, the sum of all balances (default: the sum of most reads); `accounts`, the existing accounts (default: any);
//! `negative-balances`, whether balances may be negative (false).

use std::collections::BTreeMap;

use elenchus_core::{Kind, Operation, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::interner::normalised_key;
use super::real_time::succeeded;
use super::report::short;
use super::{Description, Evidence, Invariant, Part, Report, Shape, Word};
use crate::options::{BuildError, OptionEntry, OptionValues};

/// The checker for bank workloads.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    /// The sum of all balances; `None` for the sum of most reads.
    pub total: Option<i64>,
    /// The existing accounts; `None` for any.
    pub accounts: Option<Vec<Value>>,
    /// Whether balances may be negative.
    pub negative_balances: bool,
}

/// The error of a read, gravest first: as in Jepsen, one read counts as one error.
enum ReadError<'h> {
    UnexpectedAccount(&'h Value),
    NilBalance(&'h Value),
    WrongTotal(i128),
    NegativeBalance(&'h Value, i64),
}

impl Invariant for Bank {
    const DESCRIPTION: Description = Description {
        name: "bank",
        about: "whether transfers between accounts preserve the total balance that every read returns",
        proves: "every read returned the same total",
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
            ("unexpected-account", "a read returned an account that does not exist"),
            ("nil-balance", "a read returned an account without a balance"),
            ("wrong-total", "the balances of a read do not add up to the total"),
            ("negative-balance", "a read returned a negative balance"),
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
            self.accounts.as_ref().map(|accounts| accounts.iter().map(|it| normalised_key(it).into_owned()).collect());
        let (mut count, mut by_node, mut wrong_by_node) = (0, BTreeMap::new(), BTreeMap::new());
        for read in reads() {
            count += 1;
            let error = self.error(read, total, accounts.as_ref());
            if let Some(node) = read.node {
                let slot = |groups: &mut BTreeMap<_, u64>| *groups.entry(node).or_default() += 1;
                slot(&mut by_node);
                if error.is_some() {
                    slot(&mut wrong_by_node);
                }
            }
            match error {
                None => {}
                Some(ReadError::UnexpectedAccount(account)) => report.found("unexpected-account", || {
                    Evidence::new(format!("A read returned account {}, which does not exist.", short(account)), [read])
                }),
                Some(ReadError::NilBalance(account)) => report.found("nil-balance", || {
                    Evidence::new(format!("A read returned account {} without a balance.", short(account)), [read])
                }),
                Some(ReadError::NegativeBalance(account, balance)) => report.found("negative-balance", || {
                    Evidence::new(format!("A read returned account {} with a balance of {balance}.", short(account)), [read])
                }),
                Some(ReadError::WrongTotal(sum)) => report.found("wrong-total", || {
                    let evidence =
                        Evidence::new(format!("The balances of a read add up to {sum}, not {total}."), witness.into_iter().chain([read]));
                    match witness {
                        None => evidence,
                        Some(witness) => evidence.because(format!(
                            "Transfers preserve the total, and the balances of most reads, like {}, add up to {total}.",
                            witness.invoked
                        )),
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
    /// Returns the expected total and, unless it is given as an option, a read that returned it: the most frequent sum, and of several the
    /// earliest. `None` without reads.
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

    fn error<'h>(&self, read: &Operation<'h>, total: i128, accounts: Option<&FxHashSet<Value>>) -> Option<ReadError<'h>> {
        let unexpected = accounts.and_then(|known| balances(read).find(|(account, _)| !known.contains(&*normalised_key(account))));
        if let Some((account, _)) = unexpected {
            return Some(ReadError::UnexpectedAccount(account));
        }
        if let Some((account, _)) = balances(read).find(|(_, balance)| balance.is_nil()) {
            return Some(ReadError::NilBalance(account));
        }
        let sum = balances(read).filter_map(|(_, balance)| balance.as_int()).map(i128::from).sum();
        if sum != total {
            return Some(ReadError::WrongTotal(sum));
        }
        let mut negative =
            balances(read).filter_map(|(account, balance)| Some((account, balance.as_int().filter(|balance| *balance < 0)?)));
        negative.next().filter(|_| !self.negative_balances).map(|(account, balance)| ReadError::NegativeBalance(account, balance))
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
