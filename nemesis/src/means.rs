//! The means by which faults act on a node, as shell scripts.
//!
//! | module | means |
//! | --- | --- |
//! | [`remote_script`] | scripts for nodes: how they are kept and run |
//! | [`node_down`] | running scripts on nodes that go down or come back |
//! | [`node_lock`] | locks among the scripts of a node |
//! | [`requirement`] | what a node must have |
//! | [`agent`] | the program that is uploaded for what a shell cannot do |
//! | [`job`] | a process in the background of a node |
//! | [`firewall`] | packet filters and redirection |
//! | [`cgroup`] | limits of the kernel |
//! | [`fuse_disk`] | a file system that can fail and forget |
//! | [`machine_shutdown`] | ending a machine |

pub(crate) mod agent;
pub(crate) mod cgroup;
pub(crate) mod firewall;
pub(crate) mod fuse_disk;
pub(crate) mod job;
pub(crate) mod machine_shutdown;
pub(crate) mod node_down;
pub(crate) mod node_lock;
pub(crate) mod remote_script;
pub(crate) mod requirement;
