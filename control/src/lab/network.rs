//! The lab's network: a bridge with the control node on it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use super::error::LabError;
use super::netlink::Netlink;

/// The address of the control node in the lab's network.
pub const CONTROLLER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// The prefix length of the lab's network.
pub(super) const PREFIX: u8 = 24;

/// The bridge that connects the nodes.
pub(super) const BRIDGE: &str = "lab0";

/// The lab's network with the control node in it, before any node is started.
pub struct LabNet {
    /// Whether the host's user is root. Nodes then have an overlay as root file system, and may run OpenSSH.
    pub(super) is_root: bool,
}

impl LabNet {
    /// Creates the bridge and the control node's address in this process' network namespace.
    pub(super) fn create() -> Result<LabNet, LabError> {
        // In a user namespace, the third field, the number of mapped user ids, is 1.
        let is_root = fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.split_whitespace().nth(2) != Some("1"));
        let mut netlink = Netlink::open().map_err(LabError::setup("netlink"))?;
        netlink.set_up("lo").map_err(LabError::setup("the loopback link"))?;
        netlink.add_bridge(BRIDGE).map_err(|source| LabError::Namespaces {
            what: "a bridge between the nodes",
            source,
            advice: "The kernel needs bridges: run `modprobe bridge veth` as root, once.",
        })?;
        netlink.set_up(BRIDGE).map_err(LabError::setup("the bridge"))?;
        netlink.add_address(BRIDGE, CONTROLLER.into(), PREFIX).map_err(LabError::setup("the control node's address"))?;
        Ok(LabNet { is_root })
    }
}

/// The address of the node with this number, counted from 1.
pub(super) fn address(number: u16) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, number as u8))
}
