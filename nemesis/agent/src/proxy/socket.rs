//! Socket options that the standard library does not offer.

#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, size_of_val};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// The time-out for sending the last bytes before a reset.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The destination of a connection before the firewall redirected it.
pub(super) fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    if stream.peer_addr()?.ip().to_canonical().is_ipv4() {
        let found: libc::sockaddr_in = option(stream, libc::SOL_IP, libc::SO_ORIGINAL_DST)?;
        Ok(SocketAddr::from((Ipv4Addr::from(u32::from_be(found.sin_addr.s_addr)), u16::from_be(found.sin_port))))
    } else {
        let found: libc::sockaddr_in6 = option(stream, libc::SOL_IPV6, libc::IP6T_SO_ORIGINAL_DST)?;
        Ok(SocketAddr::from((Ipv6Addr::from(found.sin6_addr.s6_addr), u16::from_be(found.sin6_port))))
    }
}

/// A socket option that is an address.
fn option<A: Copy>(stream: &TcpStream, level: i32, name: i32) -> io::Result<A> {
    let mut length = size_of::<A>() as libc::socklen_t;
    // SAFETY: the address structs consist of integers, for which zeros are valid; the kernel writes at most `length` bytes.
    let (found, value) = unsafe {
        let mut value: A = std::mem::zeroed();
        (libc::getsockopt(stream.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length), value)
    };
    if found < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Makes closing the socket send an RST. Waits for data that was written before to be acknowledged.
pub(super) fn reset_when_closed(stream: &TcpStream) {
    let began = Instant::now();
    while unacknowledged(stream) > 0 && began.elapsed() < TIMEOUT {
        std::thread::sleep(Duration::from_millis(1));
    }
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the value outlives the call, and has this length. A failure means that the connection is gone.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            std::ptr::from_ref(&linger).cast(),
            size_of_val(&linger) as libc::socklen_t,
        )
    };
}

/// The number of bytes that the peer has not acknowledged.
fn unacknowledged(stream: &TcpStream) -> i32 {
    let mut count = 0;
    // SAFETY: the call only writes this variable.
    let asked = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if asked < 0 { 0 } else { count }
}
