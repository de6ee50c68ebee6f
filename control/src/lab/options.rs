//! The options of a lab.

/// The largest number of nodes in a lab.
pub const MAX_NODES: u16 = 200;

/// The SSH server of a lab's nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeSshd {
    /// The server that is part of Elenchus: [`sshd`](crate::sshd).
    #[default]
    Embedded,
    /// The OpenSSH server installed on the host. Requires root.
    OpenSsh,
}

/// The options of a lab.
#[derive(Clone, Copy, Debug)]
pub struct LabOptions {
    /// The number of nodes, which are named n1, n2 …
    pub nodes: u16,
    /// The SSH server of each node.
    pub sshd: NodeSshd,
}

impl Default for LabOptions {
    fn default() -> LabOptions {
        LabOptions { nodes: 5, sshd: NodeSshd::Embedded }
    }
}
