//! The table of checkers, and how plans name them.

use std::time::Duration;

use elenchus_core::suggest::nearest;
use elenchus_core::{CheckSpec, Checker, Finding, History, Nanos};
use serde_json::Value as Json;

use crate::consistency::{self, CONSISTENCY_MODELS, Consistency, ConsistencyModel, Strongest};
use crate::invariants::*;
use crate::linearizable::LinearizableOptions;
use crate::models::MODELS;
use crate::options::{BuildError, OptionEntry, OptionValues};
use crate::property::Property;
use crate::transactional::{self, Assumptions, Datatype, Level, Transactional};

/// A checker that plans can name.
pub struct CheckerEntry {
    /// Its name.
    pub name: &'static str,
    /// The property that it decides, in one sentence.
    pub about: &'static str,
    /// The kind of property that it decides.
    pub family: Family,
    /// The options it takes.
    pub options: &'static [OptionEntry],
    /// Its operations and anomalies, if it is an invariant.
    pub invariant: Option<&'static Description>,
    build: fn(OptionValues<'_>) -> Result<Box<dyn Checker>, BuildError>,
}

/// The kind of property that a checker decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Linearizability against a model.
    Linearizability,
    /// A consistency model of registers.
    Consistency,
    /// Isolation levels of transactions.
    Transactions,
    /// An invariant over many operations.
    Invariant,
}

impl Family {
    /// Its name, for headings.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Linearizability => "linearizability",
            Family::Consistency => "consistency models",
            Family::Transactions => "transactions",
            Family::Invariant => "invariants",
        }
    }
}

impl CheckerEntry {
    /// A check with an example value for every option that has one.
    pub fn example(&self) -> CheckSpec {
        self.options.iter().filter(|option| !option.example.is_empty()).fold(CheckSpec::new(self.name), |spec, option| {
            // A test parses them all.
            spec.with(option.name, serde_json::from_str::<Json>(option.example).unwrap_or_default())
        })
    }
}

const MODEL: OptionEntry = OptionEntry::new("model", "the name of a model")
    .default("cas-register")
    .example("\"register\"")
    .about("the sequential specification of every object");
const INITIAL: OptionEntry = OptionEntry::new("initial", "a value")
    .default("nil; 0 for counters, 1 for semaphores")
    .example("0")
    .about("the initial value of every object, where its model has a choice");
const INITIAL_VALUE: OptionEntry =
    OptionEntry::new("initial", "a value").default("nil").example("0").about("the initial value of every register");
const TIME_LIMIT: OptionEntry = OptionEntry::new("time-limit", "a number of seconds")
    .example("60")
    .about("how long a search may take before the verdict is unknown; makes the verdict depend on the machine");
const SOLVER_TIME_LIMIT: OptionEntry = TIME_LIMIT.default("60");
const MEMORY: OptionEntry = OptionEntry::new("memory", "a number of bytes")
    .default("4 GiB")
    .example("1073741824")
    .about("how much memory a search may use before the verdict is unknown");
const MINIMISE: OptionEntry =
    OptionEntry::flag("minimise", "true").about("whether counterexamples are reduced to as few operations as possible");
const WITNESS: OptionEntry = OptionEntry::flag("witness", "false").about("whether a valid finding has a linearization among its details");
const K: OptionEntry =
    OptionEntry::new("k", "a whole number from 1 on").default("2").example("3").about("of how many latest versions a read may return any");
const VERSIONS: OptionEntry = OptionEntry::new("versions", "a whole number from 0 on")
    .example("1")
    .about("by how many versions a read may be stale; without it, by any number");
const AGE: OptionEntry =
    OptionEntry::new("age", "a number of seconds").example("0.5").about("for how long a read may be stale; without it, for any time");
const WITHIN: OptionEntry = OptionEntry::new("within", "a number of seconds")
    .example("10")
    .about("how long after the last write all readers must agree; without it, in the end");
const AT_LEAST: OptionEntry = OptionEntry::new("at-least", "the name of a consistency model, like `causal`")
    .example("\"causal\"")
    .about("the model that must hold for the finding to be valid; without it, any one");
const ISOLATION: OptionEntry = OptionEntry::new("isolation", "the name of an isolation level")
    .default("strict-serializable")
    .example("\"serializable\"")
    .about("the level that must hold for the finding to be valid");
const EXAMPLES: OptionEntry = OptionEntry::new("examples", "a number")
    .default("4")
    .example("1")
    .about("how many examples of each anomaly are shown; all are counted");
const WFR_KEYS: OptionEntry =
    OptionEntry::flag("wfr-keys", "true").about("whether a transaction that read a version and wrote the same key wrote a later version");
const SEQUENTIAL_KEYS: OptionEntry =
    OptionEntry::flag("sequential-keys", "false").about("whether each key by itself is known to be sequentially consistent");
const LINEARIZABLE_KEYS: OptionEntry =
    OptionEntry::flag("linearizable-keys", "false").about("whether each key by itself is known to be linearizable");
const COMMIT_ORDER: OptionEntry = OptionEntry::flag("commit-order", "true")
    .about("whether versions of a key follow the commit timestamps of their transactions, where the store returns them");

/// Makes [`ALL`], one line per row, and makes every invariant a [`Property`].
macro_rules! checkers {
    (rows { $($family:ident $name:literal $about:literal [$($option:ident),*] $build:expr;)* }
     invariants { $($invariant:ident),* $(,)? }) => {
        /// Every checker that plans can name.
        pub const ALL: &[CheckerEntry] = &[
            $(CheckerEntry {
                name: $name,
                about: $about,
                family: Family::$family,
                options: &[$($option),*],
                invariant: None,
                build: $build,
            },)*
            $(invariant::<$invariant>()),*
        ];

        $(impl Property for $invariant {
            fn check(&self, history: &History) -> Finding {
                check_invariant(self, history)
            }
        })*
    };
}

checkers! {
    rows {
        Linearizability "linearizable" "whether every object is linearizable with respect to its model"
            [MODEL, INITIAL, TIME_LIMIT, MEMORY, MINIMISE, WITNESS] linearizable;
        Consistency "sequential" "whether registers have one total order of operations that respects the order of every session"
            [INITIAL_VALUE, TIME_LIMIT] |options| consistency(options, ConsistencyModel::Sequential);
        Consistency "causal-memory" "whether the writes to all registers have, for each session, an order that respects causality (CM)"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::CausalMemory);
        Consistency "causal-convergence" "whether all sessions agree on an order of conflicting writes to registers that respects causality (CCv)"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::CausalConvergence);
        Consistency "causal" "whether no session reads a value of a register that is causally overwritten (CC)"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::Causal);
        Consistency "pram" "whether every session sees the writes of each other session to all registers in their order"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::Pram);
        Consistency "read-your-writes" "whether no session reads a value of a register older than one that it wrote"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::ReadYourWrites);
        Consistency "monotonic-reads" "whether no session reads a value of a register older than one that it read before"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::MonotonicReads);
        Consistency "monotonic-writes" "whether a session that saw a write to a register also sees its writer's earlier writes"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::MonotonicWrites);
        Consistency "writes-follow-reads" "whether a session that saw a write to a register also sees what its writer had read before"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::WritesFollowReads);
        Consistency "regular-register" "whether every read of a register returned the last write before it or one concurrent with it"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::Regular);
        Consistency "safe-register" "whether every read of a register that is concurrent with no write returned the last one"
            [INITIAL_VALUE] |options| consistency(options, ConsistencyModel::Safe);
        Consistency "k-atomic" "whether every read of a register returned one of the last k versions, in an order that respects real time"
            [INITIAL_VALUE, TIME_LIMIT, K] |options| consistency(options, ConsistencyModel::KAtomic);
        Consistency "bounded-staleness" "by how many versions and for how long reads of registers were stale, and whether that is within bounds"
            [INITIAL_VALUE, TIME_LIMIT, VERSIONS, AGE] |options| consistency(options, ConsistencyModel::BoundedStaleness);
        Consistency "eventual" "whether all readers of a register agreed after the last write"
            [INITIAL_VALUE, WITHIN] |options| consistency(options, ConsistencyModel::Eventual);
        Consistency "strongest" "the strongest consistency models that hold for registers, and counterexamples to the next stronger ones"
            [INITIAL_VALUE, TIME_LIMIT, K, WITHIN, AT_LEAST] strongest;
        Transactions "list-append" "which isolation levels are violated by transactions that append to lists and read them"
            [ISOLATION, EXAMPLES] |options| transactional("list-append", Datatype::ListAppend, options);
        Transactions "rw-register" "which isolation levels are violated by transactions that write and read registers"
            [ISOLATION, EXAMPLES, INITIAL_VALUE, WFR_KEYS, SEQUENTIAL_KEYS, LINEARIZABLE_KEYS, COMMIT_ORDER, SOLVER_TIME_LIMIT, MEMORY]
            |options| transactional("rw-register", Datatype::RwRegister, options);
        Transactions "set-add" "which isolation levels are violated by transactions that add to grow-only sets and read them"
            [ISOLATION, EXAMPLES] |options| transactional("set-add", Datatype::SetAdd, options);
        Transactions "counter-inc" "which isolation levels are violated by transactions that add to counters and read them"
            [ISOLATION, EXAMPLES] |options| transactional("counter-inc", Datatype::CounterInc, options);
    }
    invariants {
        Bank, CausalReverse, Convergence, CounterBounds, Fifo, Kafka, Lock, LongFork, Monotonic, Saga, SnapshotTimestamps,
        FinalSet, SetFull, Tombstones, TotalQueue, TwoStores, UniqueIds,
    }
}

/// The row of an invariant, from its description.
const fn invariant<I: Invariant + 'static>() -> CheckerEntry {
    let Description { name, about, options, .. } = I::DESCRIPTION;
    CheckerEntry {
        name,
        about,
        family: Family::Invariant,
        options,
        invariant: Some(const { &I::DESCRIPTION }),
        build: |options| Ok(Box::new(Checked(I::from_options(&options)?))),
    }
}

/// Builds the checker that a plan or a workload names.
///
/// ```
/// use elenchus_checkers::{CheckSpec, build};
///
/// let checker = build(&CheckSpec::new("list-append").with("isolation", "serializable"))?;
/// assert_eq!(checker.name(), "list-append");
/// let error = build(&CheckSpec::new("linearizable").with("modle", "set")).err().unwrap();
/// assert_eq!(error.to_string(), "checker `linearizable` has no option `modle`; did you mean `model`?");
/// # Ok::<(), elenchus_checkers::BuildError>(())
/// ```
///
/// # Errors
/// When the checker, one of its options or an option's value is not known; the nearest known name is suggested.
pub fn build(spec: &CheckSpec) -> Result<Box<dyn Checker>, BuildError> {
    let entry = ALL.iter().find(|entry| entry.name == spec.checker).ok_or_else(|| BuildError::UnknownChecker {
        name: spec.checker.clone(),
        nearest: nearest(&spec.checker, ALL.iter().map(|entry| entry.name)),
    })?;
    (entry.build)(OptionValues::new(entry.name, entry.options, &spec.options)?)
}

fn linearizable(options: OptionValues<'_>) -> Result<Box<dyn Checker>, BuildError> {
    let name = options.text("model")?.unwrap_or_else(|| "cas-register".to_owned());
    let names = || MODELS.iter().map(|model| model.name);
    let model = MODELS.iter().find(|model| model.name == name).ok_or_else(|| BuildError::UnknownModel {
        nearest: nearest(&name, names()),
        name: name.clone(),
        known: names().collect(),
    })?;
    let defaults = LinearizableOptions::default();
    let limits = LinearizableOptions {
        time: options.seconds("time-limit")?,
        memory: options.count("memory")?.unwrap_or(defaults.memory),
        minimise: options.flag("minimise")?.unwrap_or(defaults.minimise),
        witness: options.flag("witness")?.unwrap_or(defaults.witness),
    };
    Ok(Box::new((model.linearizable)(options.value("initial")?, limits)))
}

fn consistency(options: OptionValues<'_>, model: ConsistencyModel) -> Result<Box<dyn Checker>, BuildError> {
    Ok(Box::new(Consistency::new(model, consistency_options(options)?)))
}

fn strongest(options: OptionValues<'_>) -> Result<Box<dyn Checker>, BuildError> {
    let named = |value: &Json| CONSISTENCY_MODELS.iter().find(|entry| Some(entry.name) == value.as_str()).map(|entry| entry.model);
    Ok(Box::new(Strongest::new(options.get("at-least", named)?, consistency_options(options)?)))
}

fn consistency_options(options: OptionValues<'_>) -> Result<consistency::ConsistencyOptions, BuildError> {
    let defaults = consistency::ConsistencyOptions::default();
    let nanos = |duration: Option<Duration>| duration.map(Nanos::from);
    let positive = |value: &Json| value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|&number| number > 0);
    Ok(consistency::ConsistencyOptions {
        initial: options.value("initial")?.unwrap_or_default(),
        time: options.seconds("time-limit")?,
        k: options.get("k", positive)?.unwrap_or(defaults.k),
        versions: options.count("versions")?,
        age: nanos(options.seconds("age")?),
        within: nanos(options.seconds("within")?),
    })
}

fn transactional(name: &'static str, datatype: Datatype, options: OptionValues<'_>) -> Result<Box<dyn Checker>, BuildError> {
    let level = options.text("isolation")?;
    let isolation = match level.as_deref() {
        None | Some("strongest") => Level::StrictSerializable,
        Some(level) => Level::named(level).filter(|level| level.is_judged()).ok_or_else(|| BuildError::UnknownLevel {
            name: level.to_owned(),
            nearest: Level::nearest(level),
            known: Level::all().filter(|level| level.is_judged()).map(Level::name).collect(),
        })?,
    };
    let defaults = transactional::TransactionalOptions::default();
    let assumed = defaults.assumptions;
    let chosen = transactional::TransactionalOptions {
        examples: options.count("examples")?.unwrap_or(defaults.examples),
        assumptions: Assumptions {
            writes_follow_reads: options.flag("wfr-keys")?.unwrap_or(assumed.writes_follow_reads),
            sequential_keys: options.flag("sequential-keys")?.unwrap_or(assumed.sequential_keys),
            linearizable_keys: options.flag("linearizable-keys")?.unwrap_or(assumed.linearizable_keys),
            commit_order: options.flag("commit-order")?.unwrap_or(assumed.commit_order),
        },
        isolation,
        time: options.seconds("time-limit")?.or(defaults.time),
        memory: options.count("memory")?.unwrap_or(defaults.memory),
    };
    Ok(Box::new(Transactional::new(name, datatype, isolation, options.value("initial")?.unwrap_or_default(), chosen)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(spec: CheckSpec) -> String {
        build(&spec).err().expect("refused").to_string()
    }

    #[test]
    fn builds_every_checker_by_default_and_as_its_example_says() {
        for entry in ALL {
            assert_eq!(build(&CheckSpec::new(entry.name)).unwrap().name(), entry.name);
            assert_eq!(build(&entry.example()).unwrap().name(), entry.name);
        }
    }

    #[test]
    fn every_option_is_explained() {
        for (entry, option) in ALL.iter().flat_map(|entry| entry.options.iter().map(move |option| (entry, option))) {
            let place = format!("{} {}", entry.name, option.name);
            assert!(!option.about.is_empty() && !option.default.is_empty() && !option.takes.is_empty(), "{place}");
            assert!(serde_json::from_str::<Json>(option.example).is_ok(), "{place}");
            let wrong = build(&CheckSpec::new(entry.name).with(option.name, Json::Object(Default::default())));
            if option.takes != "a value" {
                assert!(wrong.is_err_and(|error| error.to_string().ends_with(&format!("expected {}", option.takes))), "{place}");
            }
        }
    }

    #[test]
    fn suggests_the_nearest_name() {
        assert_eq!(refusal(CheckSpec::new("linearisable")), "unknown checker `linearisable`; did you mean `linearizable`?");
        let check = CheckSpec::new("linearizable");
        assert_eq!(refusal(check.clone().with("modle", "x")), "checker `linearizable` has no option `modle`; did you mean `model`?");
        assert_eq!(refusal(check.clone().with("model", "cas-regster")), "unknown model `cas-regster`; did you mean `cas-register`?");
        assert_eq!(refusal(check.with("model", 3)), "option `model` is 3; expected the name of a model");
    }
}
