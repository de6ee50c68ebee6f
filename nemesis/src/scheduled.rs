//! The table of faults, and a line of the plan's `nemesis` list.

use std::time::Duration;

use elenchus_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Fault, Roster};

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
        /// The keys of all faults in the plan.
        pub const NAMES: &[&str] = &[$(stringify!($key)),*];

        /// A line of the plan's `nemesis` list: one fault, and when. `- {partition: {shape: halves}, every: 15s, for: 8s}`
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Scheduled {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<$fault>,
            )*
            /// Instead of one fault: at each injection one of these.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub mix: Vec<Weighted>,
            /// Which one of a `mix`: any at random by their weights, or each in its turn.
            #[serde(default)]
            pub pick: Pick,
            /// The mean time from the start of one injection to the start of the next.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub every: Option<Span>,
            /// How long each lasts before it is healed. Shorter than `every`.
            #[serde(rename = "for")]
            #[schemars(with = "String")]
            pub lasting: Span,
            /// When the first is; after one gap when absent.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub after: Option<Span>,
            /// From when on there is none: what is in force is healed then. With `after`, the line is a phase of the run.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<String>")]
            pub until: Option<Span>,
            /// Whether the gaps between them are random or all the same.
            #[serde(default)]
            pub interval: Interval,
            /// By how much more or less, at random, each injection lasts, and each gap of an `interval: fixed`.
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
            /// Instead of `every`: each time that something happens.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub when: Option<When>,
            /// How likely each injection is made at all, from 0 to 1.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub chance: Option<f64>,
            /// Lines of the same group are never in force at the same time: what would be is left out.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub group: Option<String>,
        }

        /// A fault of a mix, with its weight.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Weighted {
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<$fault>,
            )*
            /// How many times as likely it is as one of weight 1.
            #[serde(default = "one")]
            #[schemars(range(min = 1))]
            pub weight: u32,
        }

        impl Scheduled {
            /// Every fault that the line names itself.
            fn named(&self) -> Vec<&dyn Fault> {
                let all: [Option<&dyn Fault>; NAMES.len()] = [$(self.$key.as_ref().map(|fault| fault as &dyn Fault)),*];
                all.into_iter().flatten().collect()
            }
        }

        impl Weighted {
            /// Every fault that this names: exactly one, when it is right.
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

/// What an injection may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Some node is seen as primary that was not before. What changes while the line's own injection is in force does not count.
    PrimaryChanges,
}

/// Which fault of a mix is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// Any, as likely as its weight says.
    #[default]
    Random,
    /// The next in the order of the plan, as often in a row as its weight says, and the first after the last. One that is left out has had its turn.
    InTurn,
}

fn one() -> u32 {
    1
}

faults! {
    /// Cuts the network between nodes.
    partition: crate::partition::Partition,
    /// Cuts nodes off from everybody, or from clients alone; all but SSH.
    isolate: crate::isolate::Isolate,
    /// Has nodes ask for names in vain.
    dns: crate::dns::Dns,
    /// Loses a part of the packets that nodes get from other nodes.
    loss: crate::loss::Loss,
    /// Makes what nodes send to other nodes slow, late, or otherwise than it was sent.
    link: crate::link::Link,
    /// Closes, once, the TCP connections that nodes have to other nodes.
    sever: crate::sever::Sever,
    /// Stands between clients and the system's port: loses replies, cuts, stalls, delays and replays.
    proxy: crate::proxy::Proxy,
    /// Kills the system's processes, and starts the system again.
    kill: crate::kill::Kill,
    /// Pauses the system's processes, and lets them go on.
    pause: crate::pause::Pause,
    /// Kills the system's processes and starts the system again, over and over.
    crash_loop: crate::crash_loop::CrashLoop,
    /// Asks the system to end, as its definition says, and starts it again.
    restart: crate::restart::Restart,
    /// Restarts the system on one node after the other, each for a while, as an upgrade does.
    rolling: crate::rolling::Rolling,
    /// Keeps a node's processors busy.
    cpu: crate::cpu::Cpu,
    /// Takes a node's memory.
    memory: crate::memory::Memory,
    /// Fills the disk on which a directory is.
    fill_disk: crate::fill_disk::FillDisk,
    /// Lowers how many files the system's processes may have open.
    descriptors: crate::descriptors::Descriptors,
    /// Gives the system's processes a share of a processor alone.
    throttle: crate::throttle::Throttle,
    /// Gives the system so much more memory and no more.
    oom: crate::oom::Oom,
    /// Limits how many processes and threads the system may have.
    pids: crate::pids::Pids,
    /// Limits how many bytes a second the system reads from a disk and writes to it.
    io: crate::io::Io,
    /// Kills the system, damages its files, and starts it on what is left.
    damage: crate::damage::Damage,
    /// Kills the system, and starts it on an older copy of its files.
    rollback: crate::rollback::Rollback,
    /// Kills the system, loses what it did not sync to a directory, and starts it on what is left.
    power_failure: crate::power_failure::PowerFailure,
    /// Restarts whole nodes.
    reboot: crate::reboot::Reboot,
    /// Switches whole nodes off, and on again.
    power_off: crate::power_off::PowerOff,
    /// Has operations on the files of a directory fail, or take long.
    disk: crate::disk::Disk,
    /// Flips bits of what is read from the files of a directory.
    disk_flips: crate::disk_flips::DiskFlips,
    /// Has the system's processes see a wrong time of day.
    clock: crate::clock::Clock,
    /// Gives nodes another time zone.
    timezone: crate::timezone::Timezone,
    /// Changes who is a member of the system, while it runs.
    membership: crate::membership::Membership,
    /// Plays a ready composition of faults.
    scenario: crate::scenario::Scenario,
    /// Breaks nodes by the plan's own commands.
    shell: crate::shell::Shell,
}

impl Scheduled {
    /// The line's faults, one unless it is a mix, with their weights.
    pub fn faults(&self) -> Vec<(&dyn Fault, u32)> {
        let own = self.named().into_iter().map(|fault| (fault, 1));
        let mixed = self.mix.iter().flat_map(|choice| choice.named().into_iter().map(|fault| (fault, choice.weight)));
        own.chain(mixed).collect()
    }

    /// Whether the line can be carried out on such a cluster, and else why not.
    pub fn check(&self, roster: &Roster) -> Result<(), String> {
        self.check_names()?;
        self.check_times()?;
        if self.chance.is_some_and(|chance| !(chance > 0.0 && chance <= 1.0)) {
            return Err("`chance` must be above 0 and at most 1".into());
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
            ([_], []) if self.pick == Pick::InTurn => Err("`pick` chooses from a `mix`; this line has one fault alone".into()),
            ([_], []) => Ok(()),
            ([], []) => Err(format!("a line names one fault; this one names none (faults: {})", NAMES.join(", "))),
            ([], mix) => match mix.iter().find(|choice| choice.named().len() != 1) {
                None => Ok(()),
                Some(choice) => Err(format!("each choice of a `mix` names one fault; one names {}", choice.named().len())),
            },
            ([one, ..], [_, ..]) => Err(format!("a line has a fault or a `mix`, not both; move {} into the mix", one.name())),
            (many, []) => {
                let names: Vec<&str> = many.iter().map(|fault| fault.name()).collect();
                Err(format!("a line names one fault; this one names {}; give each a line of its own", names.join(" and ")))
            }
        }
    }

    fn check_times(&self) -> Result<(), String> {
        if self.lasting.0.is_zero() {
            return Err("`for` must be longer than nothing".into());
        }
        let says_when = [self.every.is_some(), !self.at.is_empty(), self.after_operations.is_some(), self.when.is_some()]
            .iter()
            .filter(|says| **says)
            .count();
        if self.every.is_none() && (self.interval == Interval::Fixed || self.after.is_some()) {
            return Err("`after` and `interval` are about the gaps of `every`; this line has none".into());
        }
        if let Some(jitter) = self.jitter.filter(|jitter| jitter.0 >= self.lasting.0) {
            return Err(format!("`jitter: {jitter}` must be shorter than `for`"));
        }
        if let (Some(after), Some(until)) = (self.after.or(Some(Span::secs(0))), self.until)
            && until <= after
        {
            return Err(format!("`until: {until}` is not later than the line begins (`after: {after}`)"));
        }
        if let Some(at) = self.at.iter().find(|at| self.until.is_some_and(|until| **at >= until)) {
            return Err(format!("the injection `at` {at} is not before `until`"));
        }
        let longest = self.lasting.0 + self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        match (says_when, self.every, self.at.as_slice()) {
            (0, ..) => Err("a line says when: `every`, `at`, `after_operations` or `when`".into()),
            (1, Some(every), _) => self.check_every(every),
            (1, None, at) => match at.windows(2).find(|pair| pair[0].0 + longest >= pair[1].0) {
                None => Ok(()),
                Some(pair) => {
                    Err(format!("the injection `at` {} is not over (`for: {}`) before the one at {}", pair[0], self.lasting, pair[1]))
                }
            },
            _ => Err("a line has one of `every`, `at`, `after_operations` and `when`; leave one".into()),
        }
    }

    fn check_every(&self, every: Span) -> Result<(), String> {
        if every.0.is_zero() {
            return Err("`every` must be longer than nothing".into());
        }
        if self.lasting >= every {
            let (lasting, said) = (self.lasting, every);
            return Err(format!("`for: {lasting}` must be shorter than `every: {said}`, so that there is a time without the fault"));
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

    fn complaint(yaml: &str) -> String {
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
    fn wrong_lines_are_refused_in_words() {
        assert!(complaint("{every: 15s, for: 8s}").contains("names none (faults: partition, isolate"));
        assert!(complaint("{kill: {}, pause: {}, every: 15s, for: 8s}").contains("kill and pause"));
        assert!(complaint("{kill: {}, every: 5s, for: 8s}").contains("shorter than `every: 5s`"));
        assert!(complaint("{kill: {}, for: 8s}").contains("says when"));
        assert!(complaint("{kill: {}, every: 9s, at: [1s], for: 8s}").contains("leave one"));
        assert!(complaint("{kill: {}, at: [1s], when: primary-changes, for: 8s}").contains("leave one"));
        assert!(complaint("{kill: {}, at: [1s, 5s], for: 8s}").contains("not over"));
        assert!(complaint("{kill: {}, every: 9s, for: 8s, interval: fixed, jitter: 2s}").contains("jitter"));
        assert!(complaint("{kill: {}, at: [1s], for: 8s, jitter: 8s}").contains("jitter"));
        assert!(complaint("{kill: {}, at: [1s, 10s], for: 8s, jitter: 1s}").contains("not over"));
        assert!(complaint("{kill: {}, at: [1s], for: 8s, after: 3s}").contains("gaps of `every`"));
        assert!(complaint("{kill: {}, every: 9s, for: 8s, after: 30s, until: 20s}").contains("not later"));
        assert!(complaint("{kill: {}, at: [1s, 20s], for: 8s, until: 20s}").contains("not before `until`"));
        assert!(complaint("{kill: {}, every: 9s, for: 8s, pick: in-turn}").contains("a `mix`"));
        assert!(complaint("{kill: {}, every: 9s, for: 8s, chance: 0}").contains("chance"));
        assert!(complaint("{kill: {}, mix: [{pause: {}}], every: 9s, for: 8s}").contains("move kill into the mix"));
        assert!(complaint("{mix: [{}], every: 9s, for: 8s}").contains("names 0"));
        assert!(complaint("{kill: {targets: {nodes: [m1]}}, every: 9s, for: 8s}").contains("kill: there is no node `m1`"));
        assert!(serde_yaml::from_str::<Scheduled>("{kil: {}, every: 9s, for: 8s}").is_err());
    }

    #[test]
    fn the_table_and_the_faults_agree_on_names() {
        let names: Vec<&str> = one_of_each().iter().map(|fault| fault.name()).collect();
        assert_eq!(names, NAMES);
    }
}
