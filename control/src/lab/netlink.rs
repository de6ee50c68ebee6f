//! Links and addresses by rtnetlink: the lab does not need the `ip` command.
//!
//! A request has the layout of `linux/rtnetlink.h`: a header, a body, and attributes that may nest. The answer to each is an error number, 0 for success.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFF_UP: u32 = 1;

/// A netlink socket. It concerns the network namespace in which it was opened.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Netlink> {
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// Creates a bridge.
    pub(super) fn add_bridge(&mut self, name: &str) -> io::Result<()> {
        let mut request = Request::link(NLM_F_CREATE | NLM_F_EXCL, 0, 0);
        request.text(IFLA_IFNAME, name);
        request.nest(IFLA_LINKINFO, |info| info.text(IFLA_INFO_KIND, "bridge"));
        self.send(request)
    }

    /// Creates a veth pair: one end here, up and attached to the bridge of this index; the other, named `peer` and with this hardware address, in the
    /// network namespace of a process.
    pub(super) fn add_veth(&mut self, name: &str, bridge: u32, peer: &str, hardware: [u8; 6], peer_pid: u32) -> io::Result<()> {
        let mut request = Request::link(NLM_F_CREATE | NLM_F_EXCL, 0, IFF_UP);
        request.text(IFLA_IFNAME, name);
        request.attribute(IFLA_MASTER, &bridge.to_ne_bytes());
        request.nest(IFLA_LINKINFO, |info| {
            info.text(IFLA_INFO_KIND, "veth");
            info.nest(IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |other| {
                    other.bytes.extend_from_slice(&link_body(0, 0));
                    other.text(IFLA_IFNAME, peer);
                    other.attribute(IFLA_ADDRESS, &hardware);
                    other.attribute(IFLA_NET_NS_PID, &peer_pid.to_ne_bytes());
                });
            });
        });
        self.send(request)
    }

    /// Deletes a link, and the other end of its pair. Succeeds if the link does not exist.
    pub(super) fn delete(&mut self, name: &str) -> io::Result<()> {
        let mut request = Request::new(RTM_DELLINK, 0);
        request.bytes.extend_from_slice(&link_body(0, 0));
        request.text(IFLA_IFNAME, name);
        match self.send(request) {
            Err(error) if error.raw_os_error() == Some(nix::libc::ENODEV) => Ok(()),
            done => done,
        }
    }

    /// Brings a link up.
    pub(super) fn set_up(&mut self, name: &str) -> io::Result<()> {
        self.send(Request::link(0, index(name)?, IFF_UP))
    }

    /// Adds an address to a link.
    pub(super) fn add_address(&mut self, name: &str, address: IpAddr, prefix: u8) -> io::Result<()> {
        let (family, octets) = match address {
            IpAddr::V4(v4) => (2u8, v4.octets().to_vec()),
            IpAddr::V6(v6) => (10u8, v6.octets().to_vec()),
        };
        let mut request = Request::new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
        request.bytes.extend_from_slice(&[family, prefix, 0, 0]);
        request.bytes.extend_from_slice(&index(name)?.to_ne_bytes());
        request.attribute(IFA_LOCAL, &octets);
        request.attribute(IFA_ADDRESS, &octets);
        self.send(request)
    }

    fn send(&mut self, request: Request) -> io::Result<()> {
        self.sequence += 1;
        let message = request.finish(self.sequence);
        sendto(self.socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let length = recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let field = |at: usize| answer[..length].get(at..at + 4).map(|four| i32::from_ne_bytes([four[0], four[1], four[2], four[3]]));
        let kind = answer.get(4..6).map(|two| u16::from_ne_bytes([two[0], two[1]]));
        match (kind, field(16)) {
            (Some(NLMSG_ERROR), Some(0)) => Ok(()),
            (Some(NLMSG_ERROR), Some(number)) => Err(io::Error::from_raw_os_error(-number)),
            _ => Err(io::Error::other("the kernel's answer is not an acknowledgement")),
        }
    }
}

/// The index of a link in this process' network namespace.
pub(super) fn index(name: &str) -> io::Result<u32> {
    Ok(nix::net::if_::if_nametoindex(name)?)
}

/// `struct ifinfomsg`: the link's index, and the flags to set.
fn link_body(index: u32, flags: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&flags.to_ne_bytes());
    body
}

struct Request {
    bytes: Vec<u8>,
}

impl Request {
    fn new(kind: u16, flags: u16) -> Request {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        Request { bytes }
    }

    fn link(flags: u16, index: u32, up: u32) -> Request {
        let mut request = Request::new(RTM_NEWLINK, flags);
        request.bytes.extend_from_slice(&link_body(index, up));
        request
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |attribute| attribute.bytes.extend_from_slice(value));
    }

    fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes);
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Request)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        // Attributes are aligned to four bytes.
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}
