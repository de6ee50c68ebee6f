//! What is to fail, be late or be falsified: rules that come and go while the file system is in use.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fmt;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::dice::Dice;
use super::{Errno, Outcome, reading, writing};
use crate::Result;

/// Makes an enumeration of words, and the list of them.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$case_doc])* $case,)* }

        impl $name {
            /// All of them, as they are written.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The one that is written so.
            pub fn of(word: &str) -> Option<$name> {
                match word { $($word => Some($name::$case),)* _ => None }
            }

            /// How it is written.
            pub fn word(self) -> &'static str {
                match self { $($name::$case => $word,)* }
            }
        }
    };
}

words! {
    /// What may be asked of a file system.
    Operation {
        /// Bytes are read; what the kernel remembers of a file is not asked for again.
        Read = "read",
        /// Bytes are written.
        Write = "write",
        /// What was written is made durable, of a file or of a directory.
        Sync = "sync",
        /// A file is opened.
        Open = "open",
        /// A file, a directory, or a link is made.
        Create = "create",
        /// A name is taken away.
        Remove = "remove",
        /// A name is changed.
        Rename = "rename",
        /// A length is set, or room is taken.
        Truncate = "truncate",
        /// The names in a directory are read.
        List = "list",
        /// Permissions, owners, times or extended attributes are set.
        Attribute = "attribute",
    }
}

/// The errors that a file system may give, by name.
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

/// The names of the errors that can be given.
pub fn error_names() -> Vec<&'static str> {
    ERRORS.iter().map(|(name, _)| *name).collect()
}

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effect {
    /// It fails, and does nothing.
    Error(&'static str, Errno),
    /// It is done so much later.
    Delay(Duration),
    /// So many bits of what is read are not what was written.
    Flip(u32),
}

/// What happens to some operations on some files.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// How likely, from 0 to 1.
    pub probability: f64,
    /// To which operations.
    pub operations: Vec<Operation>,
    /// On which files: a pattern of paths below the directory, as of a shell's `case`. A `*` stands for slashes too.
    pub pattern: String,
    /// What.
    pub effect: Effect,
}

impl Rule {
    /// From the words of a command line, as a rule is displayed.
    ///
    /// # Errors
    /// When they are no rule.
    pub fn of_words(words: &[&str]) -> Result<Rule> {
        let [probability, operations, pattern, effect, argument] = *words else {
            return Err(format!("`{}` is no rule", words.join(" ")));
        };
        let probability = probability.parse().ok().filter(|probability| (0.0..=1.0).contains(probability));
        let probability = probability.ok_or("a probability is from 0 to 1")?;
        let operation = |word: &str| Operation::of(word).ok_or_else(|| format!("`{word}` is none of {}", Operation::WORDS.join(", ")));
        let operations = operations.split(',').map(operation).collect::<Result<Vec<Operation>>>()?;
        let number = || argument.parse::<u64>().map_err(|_| format!("`{argument}` is no number"));
        let effect = match effect {
            "error" => {
                let found = ERRORS.iter().find(|(name, _)| *name == argument);
                let (name, errno) = found.ok_or_else(|| format!("`{argument}` is none of {}", error_names().join(", ")))?;
                Effect::Error(name, *errno)
            }
            "delay" => Effect::Delay(Duration::from_nanos(number()?)),
            "flip" => Effect::Flip(u32::try_from(number()?).map_err(|_| "that are too many bits")?),
            other => return Err(format!("`{other}` is no effect")),
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

/// The rules that are in force.
#[derive(Debug, Default)]
pub struct Faults {
    any: AtomicBool,
    rules: RwLock<Vec<InForce>>,
}

#[derive(Debug)]
struct InForce {
    id: u32,
    rule: Rule,
    pattern: CString,
    dice: Dice,
    /// How many operations it happened to.
    hits: AtomicU64,
}

impl Faults {
    /// Puts a rule in force under a number, which others may have too; the seed decides to which operations it happens.
    ///
    /// # Errors
    /// When its pattern is none.
    pub fn add(&self, id: u32, seed: u64, rule: Rule) -> Result<()> {
        let pattern = CString::new(rule.pattern.as_str()).map_err(|_| "the pattern is no text")?;
        let mut rules = writing(&self.rules);
        rules.push(InForce { id, rule, pattern, dice: Dice::new(seed), hits: AtomicU64::new(0) });
        self.any.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the rules of a number away, or all.
    pub fn remove(&self, id: Option<u32>) {
        let mut rules = writing(&self.rules);
        rules.retain(|rule| id.is_some_and(|id| rule.id != id));
        self.any.store(!rules.is_empty(), Ordering::Relaxed);
    }

    /// Each rule's number, and how many operations it happened to.
    pub fn in_force(&self) -> Vec<(u32, u64)> {
        reading(&self.rules).iter().map(|rule| (rule.id, rule.hits.load(Ordering::Relaxed))).collect()
    }

    /// What an operation meets before it is done: it is kept waiting, and perhaps told to fail. The path is below the directory, and only asked for when needed.
    pub(crate) fn meet(&self, operation: Operation, path: impl FnOnce() -> String) -> Outcome<()> {
        let (mut delay, mut error) = (Duration::ZERO, None);
        self.struck(operation, path, |effect, _| match effect {
            Effect::Error(_, errno) => error = error.or(Some(errno)),
            Effect::Delay(more) => delay += more,
            Effect::Flip(_) => {}
        });
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        error.map_or(Ok(()), Err)
    }

    /// Falsifies what was read, if it is to be.
    pub(crate) fn falsify(&self, bytes: &mut [u8], path: impl FnOnce() -> String) {
        if bytes.is_empty() {
            return;
        }
        self.struck(Operation::Read, path, |effect, dice| {
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

    fn struck(&self, operation: Operation, path: impl FnOnce() -> String, mut strike: impl FnMut(Effect, &Dice)) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let path = CString::new(path()).unwrap_or_default();
        for InForce { rule, pattern, dice, hits, .. } in reading(&self.rules).iter() {
            if rule.operations.contains(&operation) && matches(pattern, &path) && dice.says(rule.probability) {
                hits.fetch_add(1, Ordering::Relaxed);
                strike(rule.effect, dice);
            }
        }
    }
}

fn matches(pattern: &CString, path: &CString) -> bool {
    // SAFETY: both are strings that end, and live until it returns.
    unsafe { libc::fnmatch(pattern.as_ptr(), path.as_ptr(), 0) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_all_of_it() {
        for said in ["0.5 read,sync * error EIO", "1 write member/*.wal delay 1000000", "0.01 read * flip 3"] {
            let rule = Rule::of_words(&said.split(' ').collect::<Vec<_>>()).unwrap();
            assert_eq!(rule.to_string(), said);
        }
        for wrong in ["2 read * error EIO", "1 rad * error EIO", "1 read * error EI", "1 read * flip -1", "1 read *", "1 read * burn 1"] {
            assert!(Rule::of_words(&wrong.split(' ').collect::<Vec<_>>()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_strikes_what_it_names_and_nothing_else() {
        let faults = Faults::default();
        let rule = |said: &str| Rule::of_words(&said.split(' ').collect::<Vec<_>>()).unwrap();
        faults.add(7, 1, rule("1 read,write member/* error ENOSPC")).unwrap();
        faults.add(8, 1, rule("1 read other flip 1")).unwrap();
        let meet = |operation, path: &str| faults.meet(operation, || path.to_owned());
        assert_eq!(meet(Operation::Write, "member/wal/0.wal"), Err(Errno::NOSPC));
        assert_eq!(meet(Operation::Write, "other"), Ok(()));
        assert_eq!(meet(Operation::Sync, "member/wal/0.wal"), Ok(()));
        let mut bytes = [0; 100];
        faults.falsify(&mut bytes, || "other".into());
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        assert_eq!(faults.in_force(), [(7, 1), (8, 1)]);
        faults.remove(Some(7));
        assert_eq!(meet(Operation::Write, "member/wal/0.wal"), Ok(()));
        faults.remove(None);
        assert!(faults.in_force().is_empty());
    }
}
