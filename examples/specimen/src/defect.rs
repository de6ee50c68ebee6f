//! The defects that can be enabled.

use clap::ValueEnum;

/// A defect of the specimen. Without one, the specimen is linearizable and loses no acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Defect {
    /// Every node answers reads from its own state without asking a quorum; the result may be stale.
    StaleReads,
    /// The leader acknowledges a write before any other node has it. Acknowledged writes are lost when the leader is partitioned or killed.
    EarlyAck,
    /// A node acknowledges records before they are durable and writes them half a second later. A kill loses the last half second of this node's log; acknowledged
    /// writes are lost only when a majority is killed at the same time.
    LostFsync,
    /// A node acknowledges records after writing them and never syncs. A kill loses nothing; a power failure loses everything since the file was created.
    NoFsync,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Defect; 4] = [Defect::StaleReads, Defect::EarlyAck, Defect::LostFsync, Defect::NoFsync];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Defect::StaleReads => "stale-reads",
            Defect::EarlyAck => "early-ack",
            Defect::LostFsync => "lost-fsync",
            Defect::NoFsync => "no-fsync",
        }
    }

    /// Its effect and the faults that reveal it, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Defect::StaleReads => "every node answers reads from its own state without a quorum; revealed by partitions and slow links",
            Defect::EarlyAck => {
                "the leader acknowledges and serves writes before any other node has them; they are lost when it is partitioned or killed"
            }
            Defect::LostFsync => {
                "writes are acknowledged before they are durable; the last half second is lost when a majority is killed at once"
            }
            Defect::NoFsync => "writes are acknowledged without fsync; a kill loses nothing, a power failure does",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_the_command_line() {
        for defect in Defect::ALL {
            assert_eq!(Defect::from_str(defect.name(), false), Ok(defect));
        }
        assert_eq!(Defect::value_variants(), Defect::ALL);
    }
}
