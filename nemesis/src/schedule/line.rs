//! A line of the plan's `nemesis` list.

use std::time::Duration;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::faults::{NAMES, all_faults};
use crate::roster::Roster;

/// How the gaps between the injections of a line are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Exponentially distributed around their mean, so that nothing can synchronize with them.
    #[default]
    Random,
    /// All of the same length.
    Fixed,
}

/// An event that an injection may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// A node is seen as primary that was not before. Changes while an injection of the line is in force do not count.
    #[serde(alias = "primary-changes")]
    PrimaryChanges,
}

/// How the next fault of a mix is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// At random, by weight.
    #[default]
    Random,
    /// In the order of the plan, each as often in a row as its weight says, and then from the start. One that is skipped is not made up for.
    #[serde(alias = "in-turn")]
    InTurn,
}

fn one() -> u32 {
    1
}

/// Makes the types that have a key for each fault.
macro_rules! lines {
    ($($(#[$doc:meta])* $kind:ident { $($key:ident: $module:ident::$fault:ident,)* })*) => {
        /// A line of the plan's `nemesis` list: one fault, and when. `- {partition: {shape: halves}, every: 15s, for: 8s}`
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Scheduled {
            $($(
                #[allow(missing_docs, reason = "its type has the documentation, which the schema shows")]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<crate::faults::$kind::$module::$fault>,
            )*)*
            /// Instead of one fault: each injection is of one of these.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub mix: Vec<Weighted>,
            /// How one of a `mix` is chosen.
            #[serde(default)]
            pub pick: Pick,
            /// The mean time from the start of one injection to the start of the next.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub every: Option<Span>,
            /// How long each injection lasts before it is healed. Shorter than `every`.
            #[serde(rename = "for")]
            #[schemars(with = "String")]
            pub lasting: Span,
            /// When the first injection is made; after one gap when absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub after: Option<Span>,
            /// When the line ends: an injection that is in force then is healed. With `after`, the line is a phase of the run.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub until: Option<Span>,
            /// Whether the gaps between injections are random or all of the same length.
            #[serde(default)]
            pub interval: Interval,
            /// The largest random deviation, either way, of how long each injection lasts, and of each gap of an `interval: fixed`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub jitter: Option<Span>,
            /// Instead of `every`: the times of the injections, from the start of the run.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            #[schemars(with = "Vec<String>")]
            pub at: Vec<Span>,
            /// Instead of `every`: once, when the clients have completed this many operations.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub after_operations: Option<u64>,
            /// Instead of `every`: at each event of this kind.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub when: Option<When>,
            /// The probability that an injection is made at all, above 0 and at most 1.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub chance: Option<f64>,
            /// Injections of lines of the same group never overlap: one that would is skipped.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub group: Option<String>,
        }

        /// A fault of a mix, with its weight.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Weighted {
            $($(
                #[allow(missing_docs, reason = "its type has the documentation, which the schema shows")]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<crate::faults::$kind::$module::$fault>,
            )*)*
            /// How many times as likely it is as one of weight 1.
            #[serde(default = "one")]
            #[schemars(range(min = 1))]
            pub weight: u32,
        }

        impl Scheduled {
            /// Every fault that the line names itself.
            fn named(&self) -> Vec<&dyn Fault> {
                let all: [Option<&dyn Fault>; NAMES.len()] = [$($(self.$key.as_ref().map(|fault| fault as &dyn Fault)),*),*];
                all.into_iter().flatten().collect()
            }
        }

        impl Weighted {
            /// Every fault that this names: exactly one when it is valid.
            fn named(&self) -> Vec<&dyn Fault> {
                let all: [Option<&dyn Fault>; NAMES.len()] = [$($(self.$key.as_ref().map(|fault| fault as &dyn Fault)),*),*];
                all.into_iter().flatten().collect()
            }
        }
    };
}
all_faults!(lines);

impl Scheduled {
    /// The line's faults, one unless it is a mix, with their weights.
    pub fn faults(&self) -> Vec<(&dyn Fault, u32)> {
        let own = self.named().into_iter().map(|fault| (fault, 1));
        let mixed = self.mix.iter().flat_map(|choice| choice.named().into_iter().map(|fault| (fault, choice.weight)));
        own.chain(mixed).collect()
    }

    /// Checks the line against the nodes; the error states the problem and what was expected.
    pub fn check(&self, roster: &Roster) -> Result<(), String> {
        self.check_names()?;
        self.check_times()?;
        if self.chance.is_some_and(|chance| !(chance > 0.0 && chance <= 1.0)) {
            return Err("`chance` must be greater than 0 and at most 1".into());
        }
        for (fault, weight) in self.faults() {
            if weight == 0 {
                return Err(format!("the `weight` of {} must be 1 or more", fault.name()));
            }
            fault.targets().check(roster).and_then(|()| fault.check(roster)).map_err(|why| format!("{}: {why}", fault.name()))?;
        }
        Ok(())
    }

    fn check_names(&self) -> Result<(), String> {
        match (self.named().as_slice(), self.mix.as_slice()) {
            ([_], []) if self.pick == Pick::InTurn => Err("`pick` chooses from a `mix`, but this line has a single fault".into()),
            ([_], []) => Ok(()),
            ([], []) => Err(format!("a line must name one fault; this one names none (faults: {})", NAMES.join(", "))),
            ([], mix) => match mix.iter().find(|choice| choice.named().len() != 1) {
                None => Ok(()),
                Some(choice) => Err(format!("each entry of a `mix` must name one fault; one names {}", choice.named().len())),
            },
            ([one, ..], [_, ..]) => Err(format!("a line has a fault or a `mix`, not both; move `{}` into the mix", one.name())),
            (many, []) => {
                let names: Vec<&str> = many.iter().map(|fault| fault.name()).collect();
                Err(format!("a line must name one fault; this one names {}; put each in a line of its own", names.join(" and ")))
            }
        }
    }

    fn check_times(&self) -> Result<(), String> {
        if self.lasting.0.is_zero() {
            return Err("`for` must be greater than zero".into());
        }
        let times = [self.every.is_some(), !self.at.is_empty(), self.after_operations.is_some(), self.when.is_some()]
            .iter()
            .filter(|is_set| **is_set)
            .count();
        if self.every.is_none() && (self.interval == Interval::Fixed || self.after.is_some()) {
            return Err("`after` and `interval` apply to the gaps of `every`, which this line does not have".into());
        }
        if let Some(jitter) = self.jitter.filter(|jitter| jitter.0 >= self.lasting.0) {
            return Err(format!("`jitter: {jitter}` must be shorter than `for`"));
        }
        if let (Some(after), Some(until)) = (self.after.or(Some(Span::secs(0))), self.until)
            && until <= after
        {
            return Err(format!("`until: {until}` must be later than the start of the line (`after: {after}`)"));
        }
        if let Some(at) = self.at.iter().find(|at| self.until.is_some_and(|until| **at >= until)) {
            return Err(format!("the injection `at` {at} must be before `until`"));
        }
        let longest = self.lasting.0 + self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        match (times, self.every, self.at.as_slice()) {
            (0, ..) => Err("the line has no time: set `every`, `at`, `after_operations` or `when`".into()),
            (1, Some(every), _) => self.check_every(every),
            (1, None, at) => match at.windows(2).find(|pair| pair[0].0 + longest >= pair[1].0) {
                None => Ok(()),
                Some(pair) => {
                    Err(format!("the injection `at` {} has not ended (`for: {}`) before the one at {}", pair[0], self.lasting, pair[1]))
                }
            },
            _ => Err("a line has only one of `every`, `at`, `after_operations` and `when`; remove the others".into()),
        }
    }

    fn check_every(&self, every: Span) -> Result<(), String> {
        if every.0.is_zero() {
            return Err("`every` must be greater than zero".into());
        }
        if self.lasting >= every {
            return Err(format!("`for: {}` must be shorter than `every: {every}`, so that there is time without the fault", self.lasting));
        }
        match self.jitter {
            Some(jitter) if self.interval == Interval::Fixed && jitter.0 >= every.0 - self.lasting.0 => {
                Err(format!("`jitter: {jitter}` must be shorter than the gap between two injections"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster() -> Roster {
        Roster::of((1..=5).map(|number| format!("n{number}")).collect())
    }

    fn error(yaml: &str) -> String {
        serde_yaml::from_str::<Scheduled>(yaml).unwrap().check(&roster()).unwrap_err()
    }

    #[test]
    fn a_line_is_read_and_written() {
        let line: Scheduled = serde_yaml::from_str("{kill: {targets: {nodes: [n1]}}, every: 15s, for: 8s, interval: fixed}").unwrap();
        assert_eq!(line.check(&roster()), Ok(()));
        assert_eq!(line.faults()[0].0.name(), "kill");
        let written = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Scheduled>(&written).unwrap(), line);
    }

    #[test]
    fn a_mix_is_read_with_its_weights() {
        let line: Scheduled = serde_yaml::from_str("{mix: [{kill: {}, weight: 3}, {pause: {targets: all}}], every: 15s, for: 8s}").unwrap();
        assert_eq!(line.check(&roster()), Ok(()));
        let faults: Vec<(&str, u32)> = line.faults().into_iter().map(|(fault, weight)| (fault.name(), weight)).collect();
        assert_eq!(faults, [("kill", 3), ("pause", 1)]);
    }

    #[test]
    fn invalid_lines_are_rejected_with_a_reason() {
        assert!(error("{every: 15s, for: 8s}").contains("names none (faults: partition, isolate"));
        assert!(error("{kill: {}, pause: {}, every: 15s, for: 8s}").contains("kill and pause"));
        assert!(error("{kill: {}, every: 5s, for: 8s}").contains("shorter than `every: 5s`"));
        assert!(error("{kill: {}, for: 8s}").contains("no time"));
        assert!(error("{kill: {}, every: 9s, at: [1s], for: 8s}").contains("remove the others"));
        assert!(error("{kill: {}, at: [1s], when: primary-changes, for: 8s}").contains("remove the others"));
        assert!(error("{kill: {}, at: [1s, 5s], for: 8s}").contains("has not ended"));
        assert!(error("{kill: {}, every: 9s, for: 8s, interval: fixed, jitter: 2s}").contains("jitter"));
        assert!(error("{kill: {}, at: [1s], for: 8s, jitter: 8s}").contains("jitter"));
        assert!(error("{kill: {}, at: [1s, 10s], for: 8s, jitter: 1s}").contains("has not ended"));
        assert!(error("{kill: {}, at: [1s], for: 8s, after: 3s}").contains("gaps of `every`"));
        assert!(error("{kill: {}, every: 9s, for: 8s, after: 30s, until: 20s}").contains("later than the start"));
        assert!(error("{kill: {}, at: [1s, 20s], for: 8s, until: 20s}").contains("must be before `until`"));
        assert!(error("{kill: {}, every: 9s, for: 8s, pick: in-turn}").contains("a `mix`"));
        assert!(error("{kill: {}, every: 9s, for: 8s, chance: 0}").contains("chance"));
        assert!(error("{kill: {}, mix: [{pause: {}}], every: 9s, for: 8s}").contains("move `kill` into the mix"));
        assert!(error("{mix: [{}], every: 9s, for: 8s}").contains("names 0"));
        assert!(error("{kill: {targets: {nodes: [m1]}}, every: 9s, for: 8s}").contains("kill: there is no node `m1`"));
        assert!(serde_yaml::from_str::<Scheduled>("{kil: {}, every: 9s, for: 8s}").is_err());
    }

    #[test]
    fn words_are_snake_case_or_kebab_case() {
        for (snake, kebab) in [
            ("{kill: {targets: one_zone}, when: primary_changes, for: 2s}", "{kill: {targets: one-zone}, when: primary-changes, for: 2s}"),
            ("{partition: {shape: majorities_ring}, every: 9s, for: 2s}", "{partition: {shape: majorities-ring}, every: 9s, for: 2s}"),
            ("{scenario: {send_only: {}}, every: 9s, for: 2s}", "{scenario: {send-only: {}}, every: 9s, for: 2s}"),
        ] {
            let (snake, kebab) = [snake, kebab].map(|yaml| serde_yaml::from_str::<Scheduled>(yaml).unwrap()).into();
            assert_eq!(snake, kebab);
            assert!(!serde_json::to_string(&snake).unwrap().contains('-'), "{snake:?}");
        }
    }
}
