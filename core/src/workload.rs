//! The requests to a system, and the checks that the results must pass.

use crate::data::{DataType, Request};
use crate::{CheckSpec, Generator, Offer, Seed};

/// Operations, and the checks that the history of them must pass.
pub trait Workload: std::fmt::Debug + Send + Sync {
    /// The clients that it needs, and what each must offer; most need one. An invocation names its client by the position in this list.
    fn needs(&self) -> Vec<Need>;

    /// The operations of a run.
    fn phases(&self, scope: &RunScope) -> Phases;

    /// The checks that the history must pass.
    fn checks(&self) -> Vec<CheckSpec>;
}

/// A client that a workload needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The client's name under `clients` in the plan, as `old` and `new` for two stores. A workload with one need is content with the plan's `client`.
    pub client: &'static str,
    /// The data type that it must offer.
    pub data: DataType,
    /// The functions of the data type that it uses.
    pub functions: Vec<&'static str>,
}

impl Need {
    /// The name of the client of a workload that needs only one.
    pub const ONLY: &'static str = "main";

    /// The one client of a workload: these functions of a data type.
    pub fn only(data: DataType, functions: &[&'static str]) -> Need {
        Need { client: Need::ONLY, data, functions: functions.to_vec() }
    }

    /// Checks that an offer includes the data type and the functions.
    ///
    /// # Errors
    /// A phrase like "the data type `set`" or "`cas` of the data type `register`".
    pub fn met_by(&self, offers: &[Offer]) -> Result<(), String> {
        let Some(offer) = offers.iter().find(|offer| offer.data == self.data) else {
            return Err(format!("the data type `{}`", self.data));
        };
        let missing: Vec<String> =
            self.functions.iter().filter(|function| !offer.functions.contains(function)).map(|name| format!("`{name}`")).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{} of the data type `{}`", missing.join(", "), self.data)) }
    }
}

/// The seed of a run, and the namespace of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunScope {
    /// The seed of every random choice.
    pub seed: Seed,
    /// The prefix of every key's name: empty where the system starts without data, and otherwise a text that no other run uses. Values that an
    /// earlier run left would contradict the history.
    pub namespace: String,
}

impl RunScope {
    /// A run on a system that starts without data.
    pub fn fresh(seed: Seed) -> RunScope {
        RunScope { seed, namespace: String::new() }
    }

    /// The name of a key, such as `r0`, in this run.
    pub fn key(&self, prefix: &str) -> String {
        format!("{}{prefix}", self.namespace)
    }
}

/// The operations of a run, in order.
pub struct Phases {
    /// Requests that prepare the data, such as initial balances: carried out and recorded one after the other, each until it is `ok`, so they must be idempotent.
    pub setup: Vec<Request>,
    /// The operations while faults are injected, before limits of rate and time.
    pub main: Box<dyn Generator>,
    /// Operations after all faults are healed, such as final reads; none for most.
    pub last: Option<Box<dyn Generator>>,
}

impl Phases {
    /// A main phase alone.
    pub fn main(generator: impl Generator + 'static) -> Phases {
        Phases { setup: Vec::new(), main: Box::new(generator), last: None }
    }

    /// The same with a last phase.
    #[must_use]
    pub fn then(self, last: impl Generator + 'static) -> Phases {
        Phases { last: Some(Box::new(last)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmet_need_names_the_missing_part() {
        let need = Need::only(DataType::Register, &["read", "cas"]);
        assert_eq!(need.met_by(&[Offer::all(DataType::Register)]), Ok(()));
        assert_eq!(need.met_by(&[Offer::some(DataType::Register, &["read", "write"])]), Err("`cas` of the data type `register`".into()));
        assert_eq!(need.met_by(&[Offer::all(DataType::Set)]), Err("the data type `register`".into()));
    }
}
