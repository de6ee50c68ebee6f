//! The specification of one node, passed to its processes in the environment.

use std::io;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::lab::environment::SPEC;

/// The specification of a node.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::lab) struct NodeSpec {
    pub(in crate::lab) name: String,
    pub(in crate::lab) address: IpAddr,
    /// Names and addresses of all nodes.
    pub(in crate::lab) hosts: Vec<(String, IpAddr)>,
    pub(in crate::lab) host_key: String,
    pub(in crate::lab) authorized_key: String,
    /// Whether the lab runs as root: the node's root file system is an overlay, with users and sudo.
    pub(in crate::lab) is_root: bool,
    pub(in crate::lab) openssh: bool,
    /// The lab's tag.
    pub(in crate::lab) tag: String,
}

impl NodeSpec {
    pub(in crate::lab) fn from_env() -> io::Result<NodeSpec> {
        let text = std::env::var(SPEC).map_err(io::Error::other)?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    pub(in crate::lab) fn to_json(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}
