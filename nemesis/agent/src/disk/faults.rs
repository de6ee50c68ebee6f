//! Rules by which operations fail, are delayed or return corrupt data; they can be added and removed while the file system is mounted.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fmt;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::dice::Dice;
use super::{Errno, Outcome, reading, writing};
use crate::Result;

/// Defines an enumeration with a word for each case.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$case_doc])* $case,)* }

        impl $name {
            /// All words.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The case with this word.
            pub fn of(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$case),)* _ => None }
            }

            /// The word of this case.
            pub fn word(self) -> &'static str {
                match self { $($name::$case => $word,)* }
            }
        }
    };
}

words! {
    /// The operations of a file system.
    Operation {
        /// Reading bytes, except from the page cache.
        Read = "read",
        /// Writing bytes.
        Write = "write",
        /// `fsync` of a file or directory.
        Sync = "sync",
        /// Opening a file.
        Open = "open",
        /// Creating a file, directory, link or other node.
        Create = "create",
        /// Removing a name.
        Remove = "remove",
        /// Renaming.
        Rename = "rename",
        /// Setting the length or allocating space.
        Truncate = "truncate",
        /// Reading the names in a directory.
        List = "list",
        /// Setting permissions, owners, times or extended attributes.
        Attribute = "attribute",
    }
}

/// The errors that a rule can return.
const ERRORS: &[(&str, Errno)] = &[
    ("EIO", Errno::IO),
    ("ENOSPC", Errno::NOSPC),
    ("EROFS", Errno::ROFS),
    ("EDQUOT", Errno::DQUOT),
    ("EACCES", Errno::ACCESS),
    ("EPERM", Errno::PERM),
    ("EAGAIN", Errno::AGAIN),
    ("EBADMSG", Errno::BADMSG),
    ("EBUSY", Errno::BUSY),
    ("EFBIG", Errno::FBIG),
    ("EINTR", Errno::INTR),
    ("EINVAL", Errno::INVAL),
    ("EMFILE", Errno::MFILE),
    ("ENFILE", Errno::NFILE),
    ("ENODEV", Errno::NODEV),
    ("ENOENT", Errno::NOENT),
    ("ENOMEM", Errno::NOMEM),
    ("ENXIO", Errno::NXIO),
    ("EOPNOTSUPP", Errno::OPNOTSUPP),
    ("EREMOTEIO", Errno::REMOTEIO),
    ("ESTALE", Errno::STALE),
    ("ETIMEDOUT", Errno::TIMEDOUT),
    ("EUCLEAN", Errno::UCLEAN),
];

/// The names of the errors that a rule can return.
pub fn error_names() -> Vec<&'static str> {
    ERRORS.iter().map(|(name, _)| *name).collect()
}

/// The effect of a rule on an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// The operation fails without effect.
    Error(&'static str, Errno),
    /// The operation is delayed.
    Delay(Duration),
    /// This number of bits of the data read are flipped.
    Flip(u32),
}

/// An effect on some operations on some files.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The probability of the effect, from 0 to 1.
    pub probability: f64,
    /// The operations that are affected.
    pub operations: Vec<Operation>,
    /// The files that are affected: an `fnmatch` pattern of paths relative to the directory, in which `*` matches slashes too.
    pub pattern: String,
    /// The effect.
    pub effect: Effect,
}

impl Rule {
    /// Parses the words of a command line, as a rule is displayed.
    ///
    /// # Errors
    /// When the words are not a rule.
    pub fn from_words(words: &[&str]) -> Result<Rule> {
        let [probability, operations, pattern, effect, argument] = *words else {
            return Err(format!("`{}` is not a rule", words.join(" ")));
        };
        let probability = probability.parse().ok().filter(|probability| (0.0..=1.0).contains(probability));
        let probability = probability.ok_or("the probability must be from 0 to 1")?;
        let operation = |word: &str| {
            Operation::of(word).ok_or_else(|| format!("unknown operation `{word}`; expected one of {}", Operation::WORDS.join(", ")))
        };
        let operations = operations.split(',').map(operation).collect::<Result<Vec<Operation>>>()?;
        let number = || argument.parse::<u64>().map_err(|_| format!("`{argument}` is not a number"));
        let effect = match effect {
            "error" => {
                let found = ERRORS.iter().find(|(name, _)| *name == argument);
                let (name, errno) =
                    found.ok_or_else(|| format!("unknown error `{argument}`; expected one of {}", error_names().join(", ")))?;
                Effect::Error(name, *errno)
            }
            "delay" => Effect::Delay(Duration::from_nanos(number()?)),
            "flip" => Effect::Flip(u32::try_from(number()?).map_err(|_| "too many bits")?),
            other => return Err(format!("unknown effect `{other}`; expected `error`, `delay` or `flip`")),
        };
        Ok(Rule { probability, operations, pattern: pattern.to_owned(), effect })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: Vec<&str> = self.operations.iter().map(|operation| operation.word()).collect();
        write!(out, "{} {} {} ", self.probability, operations.join(","), self.pattern)?;
        match self.effect {
            Effect::Error(name, _) => write!(out, "error {name}"),
            Effect::Delay(delay) => write!(out, "delay {}", delay.as_nanos()),
            Effect::Flip(bits) => write!(out, "flip {bits}"),
        }
    }
}

/// The active rules.
#[derive(Debug, Default)]
pub struct Faults {
    any: AtomicBool,
    rules: RwLock<Vec<ActiveRule>>,
}

#[derive(Debug)]
struct ActiveRule {
    id: u32,
    rule: Rule,
    pattern: CString,
    dice: Dice,
    /// The number of operations that were affected.
    hits: AtomicU64,
}

impl Faults {
    /// Adds a rule under an id, which other rules may share. The seed decides which operations are affected.
    ///
    /// # Errors
    /// When the pattern contains a NUL.
    pub fn add(&self, id: u32, seed: u64, rule: Rule) -> Result<()> {
        let pattern = CString::new(rule.pattern.as_str()).map_err(|_| "the pattern contains a NUL")?;
        let mut rules = writing(&self.rules);
        rules.push(ActiveRule { id, rule, pattern, dice: Dice::new(seed), hits: AtomicU64::new(0) });
        self.any.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Removes the rules with this id, or all.
    pub fn remove(&self, id: Option<u32>) {
        let mut rules = writing(&self.rules);
        rules.retain(|rule| id.is_some_and(|id| rule.id != id));
        self.any.store(!rules.is_empty(), Ordering::Relaxed);
    }

    /// The id of each rule, and how many operations it affected.
    pub fn active(&self) -> Vec<(u32, u64)> {
        reading(&self.rules).iter().map(|rule| (rule.id, rule.hits.load(Ordering::Relaxed))).collect()
    }

    /// Applies delays and errors to an operation before it is executed. `path` is relative to the directory, and is called only when
    /// needed.
    pub(crate) fn apply(&self, operation: Operation, path: impl FnOnce() -> String) -> Outcome<()> {
        let (mut delay, mut error) = (Duration::ZERO, None);
        self.for_each_match(operation, path, |effect, _| match effect {
            Effect::Error(_, errno) => error = error.or(Some(errno)),
            Effect::Delay(more) => delay += more,
            Effect::Flip(_) => {}
        });
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        error.map_or(Ok(()), Err)
    }

    /// Flips bits of data that was read.
    pub(crate) fn flip_bits(&self, bytes: &mut [u8], path: impl FnOnce() -> String) {
        if bytes.is_empty() {
            return;
        }
        self.for_each_match(Operation::Read, path, |effect, dice| {
            if let Effect::Flip(bits) = effect {
                for _ in 0..bits {
                    let at = dice.below(bytes.len() as u64 * 8);
                    if let Some(byte) = bytes.get_mut((at / 8) as usize) {
                        *byte ^= 1 << (at % 8);
                    }
                }
            }
        });
    }

    fn for_each_match(&self, operation: Operation, path: impl FnOnce() -> String, mut act: impl FnMut(Effect, &Dice)) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let path = CString::new(path()).unwrap_or_default();
        for ActiveRule { rule, pattern, dice, hits, .. } in reading(&self.rules).iter() {
            if rule.operations.contains(&operation) && matches(pattern, &path) && dice.happens(rule.probability) {
                hits.fetch_add(1, Ordering::Relaxed);
                act(rule.effect, dice);
            }
        }
    }
}

fn matches(pattern: &CString, path: &CString) -> bool {
    // SAFETY: both are NUL-terminated and outlive the call.
    unsafe { libc::fnmatch(pattern.as_ptr(), path.as_ptr(), 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_round_trip_through_words() {
        for said in ["0.5 read,sync * error EIO", "1 write member/*.wal delay 1000000", "0.01 read * flip 3"] {
            let rule = Rule::from_words(&said.split(' ').collect::<Vec<_>>()).unwrap();
            assert_eq!(rule.to_string(), said);
        }
        for wrong in ["2 read * error EIO", "1 rad * error EIO", "1 read * error EI", "1 read * flip -1", "1 read *", "1 read * burn 1"] {
            assert!(Rule::from_words(&wrong.split(' ').collect::<Vec<_>>()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_affects_its_operations_and_files_only() {
        let faults = Faults::default();
        let rule = |said: &str| Rule::from_words(&said.split(' ').collect::<Vec<_>>()).unwrap();
        faults.add(7, 1, rule("1 read,write member/* error ENOSPC")).unwrap();
        faults.add(8, 1, rule("1 read other flip 1")).unwrap();
        let meet = |operation, path: &str| faults.apply(operation, || path.to_owned());
        assert_eq!(meet(Operation::Write, "member/wal/0.wal"), Err(Errno::NOSPC));
        assert_eq!(meet(Operation::Write, "other"), Ok(()));
        assert_eq!(meet(Operation::Sync, "member/wal/0.wal"), Ok(()));
        let mut bytes = [0; 100];
        faults.flip_bits(&mut bytes, || "other".into());
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert_eq!(faults.active(), [(7, 1), (8, 1)]);
        faults.remove(Some(7));
        assert_eq!(meet(Operation::Write, "member/wal/0.wal"), Ok(()));
        faults.remove(None);
        assert!(faults.active().is_empty());
    }
}
