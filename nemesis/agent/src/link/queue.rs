//! NFQUEUE over netlink: the kernel's queue of packets that wait for a verdict.
//!
//! Not the crate `nfq`, because that does not expose its socket, whose receive buffer must be enlarged to survive bursts.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::sender::set_option;
use crate::{Result, failed};

/// The most bytes of a packet that the kernel is_reordered on.
const MAX_PAYLOAD: u32 = 0xffff - ATTRIBUTE as u32;

/// The most packets that wait for their verdict.
const LENGTH: u32 = 16_384;

/// The receive buffer of the socket, in bytes.
const BUFFER: i32 = 64 << 20;

/// The lengths of the headers of netlink, nfnetlink and an attribute.
const HEADER: usize = 16;
const FAMILY: usize = 4;
const ATTRIBUTE: usize = 4;

/// A packet that waits for its verdict.
pub(super) struct QueuedPacket {
    /// Identifies it in the verdict.
    pub(super) id: u32,
    /// The index of the outgoing device.
    pub(super) device: u32,
    /// The packet from the IP header on.
    pub(super) bytes: Vec<u8>,
    /// Whether `bytes` is the entire packet.
    pub(super) is_whole: bool,
}

/// A bound queue; it is unbound when this is dropped.
pub(super) struct Queue {
    socket: File,
    number: u16,
    buffer: Vec<u8>,
}

impl Queue {
    /// Binds a queue. Packets arrive segmented (no GSO) and with valid checksums.
    pub(super) fn bind(number: u16) -> Result<Queue> {
        // SAFETY: the call takes no pointers.
        let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_NETFILTER) };
        if socket < 0 {
            return Err(format!("this kernel has no netfilter: {}", std::io::Error::last_os_error()));
        }
        // SAFETY: this descriptor has no other owner.
        let socket = File::from(unsafe { OwnedFd::from_raw_fd(socket) });
        // On overflow packets are lost; the error message about it is not needed.
        set_option(socket.as_raw_fd(), libc::SOL_NETLINK, libc::NETLINK_NO_ENOBUFS, 1).map_err(failed("a netlink socket"))?;
        let _ = set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER);
        let mut queue = Queue { socket, number, buffer: vec![0; 2 * MAX_PAYLOAD as usize] };
        let bind = [libc::NFQNL_CFG_CMD_BIND as u8, 0, 0, 0];
        queue.configure(libc::NFQA_CFG_CMD, &bind).map_err(failed(format!("binding NFQUEUE {number}, which another program may use")))?;
        let copy = [&MAX_PAYLOAD.to_be_bytes()[..], &[libc::NFQNL_COPY_PACKET as u8]].concat();
        queue.configure(libc::NFQA_CFG_PARAMS, &copy).map_err(failed("setting the queue's copy mode"))?;
        queue.configure(libc::NFQA_CFG_QUEUE_MAXLEN, &LENGTH.to_be_bytes()).map_err(failed("setting the queue's length"))?;
        Ok(queue)
    }

    /// Waits for the next packet.
    pub(super) fn next(&mut self) -> Result<QueuedPacket> {
        loop {
            let message = self.receive().map_err(failed("receiving from the queue"))?;
            // Other messages are errors about verdicts for packets that are gone, for example with their device.
            if kind(message) == Some(queue_message(libc::NFQNL_MSG_PACKET))
                && let Some(packet) = parse(message)
            {
                return Ok(packet);
            }
        }
    }

    /// Accepts a packet, unchanged or replaced by these bytes.
    pub(super) fn accept(&mut self, id: u32, bytes: Option<&[u8]>) -> Result<()> {
        self.decide(id, libc::NF_ACCEPT, bytes)
    }

    /// Drops a packet.
    pub(super) fn drop(&mut self, id: u32) -> Result<()> {
        self.decide(id, libc::NF_DROP, None)
    }

    fn decide(&mut self, id: u32, verdict: i32, bytes: Option<&[u8]>) -> Result<()> {
        let verdict = [verdict.cast_unsigned().to_be_bytes(), id.to_be_bytes()].concat();
        let attributes: Vec<(i32, &[u8])> =
            [(libc::NFQA_VERDICT_HDR, &*verdict)].into_iter().chain(bytes.map(|bytes| (libc::NFQA_PAYLOAD, bytes))).collect();
        self.send(libc::NFQNL_MSG_VERDICT, false, &attributes).map_err(failed("sending a verdict"))
    }

    fn configure(&mut self, attribute: i32, value: &[u8]) -> std::io::Result<()> {
        self.send(libc::NFQNL_MSG_CONFIG, true, &[(attribute, value)])?;
        loop {
            let message = self.receive()?;
            if kind(message) == Some(libc::NLMSG_ERROR as u16) {
                let code = message.get(HEADER..).and_then(|rest| rest.first_chunk()).map_or(0, |code| i32::from_ne_bytes(*code));
                return if code == 0 { Ok(()) } else { Err(std::io::Error::from_raw_os_error(-code)) };
            }
        }
    }

    fn send(&mut self, kind: i32, is_answered: bool, attributes: &[(i32, &[u8])]) -> std::io::Result<()> {
        let flags = libc::NLM_F_REQUEST | if is_answered { libc::NLM_F_ACK } else { 0 };
        let mut message = vec![0; HEADER];
        message[4..6].copy_from_slice(&queue_message(kind).to_ne_bytes());
        message[6..8].copy_from_slice(&(flags as u16).to_ne_bytes());
        message.extend([0, 0]);
        message.extend(self.number.to_be_bytes());
        for (attribute, value) in attributes {
            message.extend(((ATTRIBUTE + value.len()) as u16).to_ne_bytes());
            message.extend((*attribute as u16).to_ne_bytes());
            message.extend(*value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
        let length = message.len() as u32;
        message[..4].copy_from_slice(&length.to_ne_bytes());
        self.socket.write_all(&message)
    }

    fn receive(&mut self) -> std::io::Result<&[u8]> {
        loop {
            match self.socket.read(&mut self.buffer) {
                Ok(length) => return Ok(&self.buffer[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The type of a message of the queue subsystem.
fn queue_message(kind: i32) -> u16 {
    (libc::NFNL_SUBSYS_QUEUE << 8 | kind) as u16
}

fn kind(message: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(*message.get(4..)?.first_chunk()?))
}

/// Parses a message; None when it contains no packet.
fn parse(message: &[u8]) -> Option<QueuedPacket> {
    let (mut id, mut device, mut bytes, mut length) = (None, 0, Vec::new(), None);
    let mut rest = message.get(HEADER + FAMILY..)?;
    while let Some((head, _)) = rest.split_first_chunk::<ATTRIBUTE>() {
        let (size, attribute) = (usize::from(u16::from_ne_bytes([head[0], head[1]])), i32::from(u16::from_ne_bytes([head[2], head[3]])));
        let value = rest.get(ATTRIBUTE..size)?;
        let number = || value.first_chunk().map(|number| u32::from_be_bytes(*number));
        match attribute & libc::NLA_TYPE_MASK {
            libc::NFQA_PACKET_HDR => id = number(),
            libc::NFQA_IFINDEX_OUTDEV => device = number()?,
            libc::NFQA_PAYLOAD => bytes = value.to_vec(),
            libc::NFQA_CAP_LEN => length = number(),
            _ => {}
        }
        rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
    }
    let is_whole = length.is_none_or(|length| length as usize <= bytes.len()) && !bytes.is_empty();
    Some(QueuedPacket { id: id?, device, bytes, is_whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: &[(i32, &[u8])]) -> Vec<u8> {
        let mut message = vec![0; HEADER + FAMILY];
        for (attribute, value) in attributes {
            message.extend(((ATTRIBUTE + value.len()) as u16).to_ne_bytes());
            message.extend((*attribute as u16).to_ne_bytes());
            message.extend(*value);
            message.resize(message.len().next_multiple_of(4), 0);
        }
        message
    }

    #[test]
    fn packets_are_parsed() {
        let header = (libc::NFQA_PACKET_HDR, &[0, 0, 1, 2, 8, 0, 3][..]);
        let read = parse(&message(&[header, (libc::NFQA_IFINDEX_OUTDEV, &[0, 0, 0, 9]), (libc::NFQA_PAYLOAD, b"packet!")])).unwrap();
        assert_eq!((read.id, read.device, &*read.bytes, read.is_whole), (258, 9, &b"packet!"[..], true));
        let cut = parse(&message(&[header, (libc::NFQA_PAYLOAD, b"x"), (libc::NFQA_CAP_LEN, &[0, 0, 0, 2])])).unwrap();
        assert!(!cut.is_whole);
        assert!(parse(&message(&[(libc::NFQA_PAYLOAD, b"x")])).is_none(), "it has no packet id");
    }

    proptest::proptest! {
        #[test]
        fn any_message_may_come(bytes: Vec<u8>) {
            parse(&bytes);
            parse(&[vec![0; HEADER + FAMILY], bytes].concat());
        }
    }
}
