//! Sending packets again, as they are: by raw sockets.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of_val;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::packet;
use crate::{Result, failed};

/// How many bytes the kernel may hold for a device that is slow.
const BUFFER: i32 = 64 << 20;

/// What every network carries whole, in bytes; packets that one does not are sent in such fragments.
const SMALLEST: usize = 1280;

/// Sockets by which packets are sent with all their headers.
pub(super) struct Wire {
    v4: OwnedFd,
    /// Not where the kernel has no IPv6.
    v6: Option<OwnedFd>,
    /// The number of the next packet that is sent in fragments.
    number: AtomicU32,
}

impl Wire {
    /// Packets that are sent have this mark, by which rules of the firewall tell them apart.
    pub(super) fn open(mark: u32) -> Result<Wire> {
        let v4 = raw(libc::AF_INET, mark).map_err(failed("sending packets by a raw socket"))?;
        Ok(Wire { v4, v6: raw(libc::AF_INET6, mark).ok(), number: AtomicU32::new(std::process::id()) })
    }

    /// Sends a packet. The device is that by which it would have left: addresses of a link are its own.
    pub(super) fn send(&self, bytes: &[u8], device: u32) -> io::Result<()> {
        match self.send_whole(bytes, device) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                let number = self.number.fetch_add(1, Ordering::Relaxed);
                let fragments = packet::fragments(bytes, SMALLEST, number).ok_or(error)?;
                fragments.iter().try_for_each(|fragment| self.send_whole(fragment, device))
            }
            sent => sent,
        }
    }

    fn send_whole(&self, bytes: &[u8], device: u32) -> io::Result<()> {
        let no_packet = || io::Error::from(io::ErrorKind::InvalidData);
        match packet::destination(bytes).ok_or_else(no_packet)? {
            IpAddr::V4(address) => {
                // SAFETY: zeros are an address.
                let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                to.sin_family = libc::AF_INET as _;
                to.sin_addr.s_addr = u32::from(address).to_be();
                send_to(&self.v4, bytes, &to)
            }
            IpAddr::V6(address) => {
                // SAFETY: zeros are an address.
                let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                to.sin6_family = libc::AF_INET6 as _;
                to.sin6_addr.s6_addr = address.octets();
                to.sin6_scope_id = if address.is_unicast_link_local() { device } else { 0 };
                send_to(self.v6.as_ref().ok_or_else(no_packet)?, bytes, &to)
            }
        }
    }
}

fn raw(family: i32, mark: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers. Sockets of this protocol send headers as they are given, and receive nothing.
    let socket = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: nobody else has this descriptor.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())?;
    let _ = set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER);
    Ok(socket)
}

fn send_to<A>(socket: &OwnedFd, bytes: &[u8], to: &A) -> io::Result<()> {
    // SAFETY: bytes and address are there as long as the call lasts, with these lengths.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT,
            std::ptr::from_ref(to).cast(),
            size_of_val(to) as libc::socklen_t,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Sets an option of a socket that is a number.
pub(super) fn set_option(socket: RawFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value is there as long as the call lasts, with this length.
    let set = unsafe { libc::setsockopt(socket, level, option, std::ptr::from_ref(&value).cast(), size_of_val(&value) as libc::socklen_t) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Moves this process to a network of its own, in which there is nobody.
pub(super) fn leave_network() -> Result<()> {
    // SAFETY: the call takes no pointers.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(format!("a network of its own for a trial: {}", io::Error::last_os_error())),
    }
}
