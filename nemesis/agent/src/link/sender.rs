//! Sending packets with their headers through raw sockets.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of_val;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use super::packet;
use crate::{Result, failed};

/// The send buffer of a socket, in bytes.
const BUFFER: i32 = 64 << 20;

/// The minimum MTU of IPv6, in bytes: packets that exceed the MTU are sent in fragments of this size.
const MIN_MTU: usize = 1280;

/// Raw sockets.
pub(super) struct Sender {
    v4: OwnedFd,
    /// None where the kernel has no IPv6.
    v6: Option<OwnedFd>,
    /// The identification of the next fragmented packet.
    number: AtomicU32,
}

impl Sender {
    /// Opens the sockets. Packets get this mark, which firewall rules match.
    pub(super) fn open(mark: u32) -> Result<Sender> {
        let v4 = raw(libc::AF_INET, mark).map_err(failed("opening a raw socket"))?;
        Ok(Sender { v4, v6: raw(libc::AF_INET6, mark).ok(), number: AtomicU32::new(std::process::id()) })
    }

    /// Sends a packet. `device` is its outgoing device, which scopes link-local addresses.
    pub(super) fn send(&self, bytes: &[u8], device: u32) -> io::Result<()> {
        match self.send_whole(bytes, device) {
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                let number = self.number.fetch_add(1, Ordering::Relaxed);
                let fragments = packet::fragments(bytes, MIN_MTU, number).ok_or(error)?;
                fragments.iter().try_for_each(|fragment| self.send_whole(fragment, device))
            }
            sent => sent,
        }
    }

    fn send_whole(&self, bytes: &[u8], device: u32) -> io::Result<()> {
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        match packet::destination(bytes).ok_or_else(malformed)? {
            IpAddr::V4(address) => {
                // SAFETY: zeros are a valid address.
                let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                to.sin_family = libc::AF_INET as _;
                to.sin_addr.s_addr = u32::from(address).to_be();
                send_to(&self.v4, bytes, &to)
            }
            IpAddr::V6(address) => {
                // SAFETY: zeros are a valid address.
                let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                to.sin6_family = libc::AF_INET6 as _;
                to.sin6_addr.s6_addr = address.octets();
                to.sin6_scope_id = if address.is_unicast_link_local() { device } else { 0 };
                send_to(self.v6.as_ref().ok_or_else(malformed)?, bytes, &to)
            }
        }
    }
}

fn raw(family: i32, mark: u32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes no pointers. IPPROTO_RAW sockets send packets with the given headers and receive nothing.
    let socket = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: this descriptor has no other owner.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())?;
    let _ = set_option(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, BUFFER);
    Ok(socket)
}

fn send_to<A>(socket: &OwnedFd, bytes: &[u8], to: &A) -> io::Result<()> {
    // SAFETY: bytes and address outlive the call, and have these lengths.
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

/// Sets a numeric socket option.
pub(super) fn set_option(socket: RawFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value outlives the call, and has this length.
    let set = unsafe { libc::setsockopt(socket, level, option, std::ptr::from_ref(&value).cast(), size_of_val(&value) as libc::socklen_t) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Moves this process into a new, empty network namespace.
pub(super) fn enter_new_network() -> Result<()> {
    // SAFETY: the call takes no pointers.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(format!("creating a network namespace for a trial: {}", io::Error::last_os_error())),
    }
}
