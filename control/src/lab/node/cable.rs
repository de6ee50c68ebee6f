//! The veth pair between the bridge and a node.

use std::io;
use std::net::IpAddr;

use super::spec::NodeSpec;
use crate::lab::netlink::{self, Netlink};
use crate::lab::network::BRIDGE;

/// The veth pair between the bridge and a node, created at every start of the node.
pub(super) struct Cable {
    /// A socket of the lab's network namespace, even after this process has moved to another one.
    netlink: Netlink,
    bridge: u32,
    port: String,
    /// The node's hardware address. It survives reboots, because the neighbours' ARP caches keep it.
    hardware: [u8; 6],
}

impl Cable {
    /// The cable to a node. Must be called in the lab's network namespace.
    pub(super) fn to(node: &NodeSpec) -> io::Result<Cable> {
        let mut hardware = [0x02, 0x1e, 0, 0, 0, 0];
        if let IpAddr::V4(address) = node.address {
            hardware[2..].copy_from_slice(&address.octets());
        }
        Ok(Cable { netlink: Netlink::open()?, bridge: netlink::index(BRIDGE)?, port: format!("port-{}", node.name), hardware })
    }

    /// Connects the network namespace of this process.
    pub(super) fn plug(&mut self) -> io::Result<()> {
        self.netlink.add_veth(&self.port, self.bridge, "eth0", self.hardware, std::process::id())
    }

    /// Deletes the pair.
    pub(super) fn unplug(&mut self) -> io::Result<()> {
        self.netlink.delete(&self.port)
    }
}
