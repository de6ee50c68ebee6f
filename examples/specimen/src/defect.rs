//! The defects that can be switched on.

use clap::ValueEnum;

/// A way in which the specimen can be wrong. Without one it is linearizable and loses nothing that it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Defect {
    /// Any node answers a read from what it holds itself, without asking a quorum: it may be old.
    StaleReads,
    /// The leader acknowledges a write before any other node has it: when the leader is cut off or killed, acknowledged writes vanish.
    EarlyAck,
    /// A node acknowledges what it has not made durable and writes it half a second later: the last half second is lost when it is killed. Others
    /// may have it still, so that it shows when a majority is killed at once.
    LostFsync,
    /// A node acknowledges what it has written and never syncs it: a kill loses nothing, and a power failure all since the file was begun.
    NoFsync,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Defect; 4] = [Defect::StaleReads, Defect::EarlyAck, Defect::LostFsync, Defect::NoFsync];

    /// The name it is switched on by.
    pub fn name(self) -> &'static str {
        match self {
            Defect::StaleReads => "stale-reads",
            Defect::EarlyAck => "early-ack",
            Defect::LostFsync => "lost-fsync",
            Defect::NoFsync => "no-fsync",
        }
    }

    /// What it does, and when it shows, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Defect::StaleReads => {
                "any node answers reads from what it holds itself, without a quorum; shows under partitions and slow links"
            }
            Defect::EarlyAck => {
                "the leader acknowledges writes before any other node has them, and reads what it has; they vanish when it is cut off or killed"
            }
            Defect::LostFsync => {
                "writes are acknowledged before they are durable; the last half second is lost when nodes are killed at once"
            }
            Defect::NoFsync => "writes are acknowledged when they are written and never synced; a kill loses nothing, a power failure does",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for defect in Defect::ALL {
            assert_eq!(Defect::from_str(defect.name(), false), Ok(defect));
        }
        assert_eq!(Defect::value_variants(), Defect::ALL);
    }
}
