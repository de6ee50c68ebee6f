//! The write modes of a mount.

use crate::Result;

/// When writes reach the serving process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// Write-back: when the kernel flushes its page cache, or on a sync, as with its own file systems. Many small writes are fast.
    Back,
    /// Write-through: each write at once, so that faults apply to each and errors reach the writer.
    Through,
}

impl Writes {
    /// The words of a command line.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Writes::Back => &[],
            Writes::Through => &["through"],
        }
    }

    /// Parses the words of a command line.
    ///
    /// # Errors
    /// When the words are neither.
    pub fn from_words(words: &[&str]) -> Result<Writes> {
        let known = [Writes::Back, Writes::Through].into_iter().find(|known| known.words() == words);
        known.ok_or_else(|| format!("unknown write mode `{}`; expected `through` or nothing", words.join(" ")))
    }
}
