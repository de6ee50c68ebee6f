//! The table of faults, and a line of the plan's `nemesis` list.

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Fault;

/// How the gaps between two injections of a line are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interval {
    /// Of random length, exponentially distributed around their mean: nothing can fall into step with them.
    #[default]
    Random,
    /// All of the same length.
    Fixed,
}

/// Makes the plan's line and the list of names from one table: the key in the plan, and the type of its value, which is a [`Fault`].
macro_rules! faults {
    ($($(#[$doc:meta])* $key:ident: $fault:ty,)*) => {
        /// The names of all faults.
        pub const NAMES: &[&str] = &[$(stringify!($key)),*];

        /// A line of the plan's `nemesis` list: one fault, and when. `- {partition: {shape: halves}, every: 15s, for: 8s}`
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Scheduled {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<$fault>,
            )*
            /// The mean time from the start of one injection to the start of the next.
            #[schemars(with = "String")]
            pub every: Span,
            /// How long each lasts before it is healed. Shorter than `every`.
            #[serde(rename = "for")]
            #[schemars(with = "String")]
            pub lasting: Span,
            /// When the first is; after one gap when absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub after: Option<Span>,
            /// Whether the gaps between them are random or all the same.
            #[serde(default)]
            pub interval: Interval,
        }

        impl Scheduled {
            /// Every fault that the line names: exactly one, when it is right.
            fn named(&self) -> Vec<&dyn Fault> {
                let all: [Option<&dyn Fault>; NAMES.len()] = [$(self.$key.as_ref().map(|fault| fault as &dyn Fault)),*];
                all.into_iter().flatten().collect()
            }
        }

        /// One of each fault with its default settings.
        pub(crate) fn one_of_each() -> Vec<Box<dyn Fault>> {
            vec![$(Box::new(<$fault>::default())),*]
        }
    };
}

faults! {
    /// Cuts the network between nodes.
    partition: crate::partition::Partition,
    /// Kills the system's processes, and starts the system again.
    kill: crate::kill::Kill,
    /// Pauses the system's processes, and lets them go on.
    pause: crate::pause::Pause,
}

impl Scheduled {
    /// The line's fault, if it names exactly one.
    pub fn fault(&self) -> Option<&dyn Fault> {
        match self.named().as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    /// Whether the line can be carried out on a cluster of these nodes, and else why not.
    pub fn check(&self, nodes: &[String]) -> Result<(), String> {
        let fault = match self.named().as_slice() {
            [one] => *one,
            [] => return Err(format!("a line names one fault; this one names none (faults: {})", NAMES.join(", "))),
            many => {
                let names: Vec<&str> = many.iter().map(|fault| fault.name()).collect();
                return Err(format!("a line names one fault; this one names {}; give each a line of its own", names.join(" and ")));
            }
        };
        if self.every.0.is_zero() || self.lasting.0.is_zero() {
            return Err("`every` and `for` must be longer than nothing".into());
        }
        if self.lasting >= self.every {
            return Err(format!(
                "`for: {}` must be shorter than `every: {}`, so that there is a time without the fault",
                self.lasting, self.every
            ));
        }
        fault.check(nodes).map_err(|why| format!("{}: {why}", fault.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<String> {
        (1..=5).map(|number| format!("n{number}")).collect()
    }

    fn complaint(yaml: &str) -> String {
        serde_yaml::from_str::<Scheduled>(yaml).unwrap().check(&nodes()).unwrap_err()
    }

    #[test]
    fn a_line_is_read_and_written() {
        let line: Scheduled = serde_yaml::from_str("{kill: {targets: {nodes: [n1]}}, every: 15s, for: 8s, interval: fixed}").unwrap();
        assert_eq!(line.check(&nodes()), Ok(()));
        assert_eq!(line.fault().unwrap().name(), "kill");
        let written = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Scheduled>(&written).unwrap(), line);
    }

    #[test]
    fn wrong_lines_are_refused_in_words() {
        assert!(complaint("{every: 15s, for: 8s}").contains("names none (faults: partition, kill, pause)"));
        assert!(complaint("{kill: {}, pause: {}, every: 15s, for: 8s}").contains("kill and pause"));
        assert!(complaint("{kill: {}, every: 5s, for: 8s}").contains("shorter than `every: 5s`"));
        assert!(complaint("{kill: {targets: {nodes: [m1]}}, every: 9s, for: 8s}").contains("kill: there is no node `m1`"));
        assert!(serde_yaml::from_str::<Scheduled>("{kil: {}, every: 9s, for: 8s}").is_err());
    }

    #[test]
    fn the_table_and_the_faults_agree_on_names() {
        let names: Vec<&str> = one_of_each().iter().map(|fault| fault.name()).collect();
        assert_eq!(names, NAMES);
    }
}
