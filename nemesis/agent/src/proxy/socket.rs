//! What the kernel knows of connections, and the standard library does not ask.

#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, size_of_val};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// How long the last bytes before a reset may take to leave.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whom a connection was meant for before the firewall sent it here.
pub(super) fn original_destination(stream: &TcpStream) -> io::Result<SocketAddr> {
    if stream.peer_addr()?.ip().to_canonical().is_ipv4() {
        let found: libc::sockaddr_in = option(stream, libc::SOL_IP, libc::SO_ORIGINAL_DST)?;
        Ok(SocketAddr::from((Ipv4Addr::from(u32::from_be(found.sin_addr.s_addr)), u16::from_be(found.sin_port))))
    } else {
        let found: libc::sockaddr_in6 = option(stream, libc::SOL_IPV6, libc::IP6T_SO_ORIGINAL_DST)?;
        Ok(SocketAddr::from((Ipv6Addr::from(found.sin6_addr.s6_addr), u16::from_be(found.sin6_port))))
    }
}

/// An option that is an address: zeros where the kernel writes less.
fn option<A: Copy>(stream: &TcpStream, level: i32, name: i32) -> io::Result<A> {
    let mut length = size_of::<A>() as libc::socklen_t;
    // SAFETY: addresses are numbers, for which zeros are values; the kernel writes at most as many bytes as it is told there are.
    let (found, value) = unsafe {
        let mut value: A = std::mem::zeroed();
        (libc::getsockopt(stream.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length), value)
    };
    if found < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Has a connection be reset when its last owner lets go of it. What was said on it before has left by then, if the other side takes it.
pub(super) fn reset_when_closed(stream: &TcpStream) {
    let began = Instant::now();
    while waiting(stream) > 0 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the value is there as long as the call lasts, with this length. That it fails means that the connection is gone.
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

/// How many bytes the other side has not got yet.
fn waiting(stream: &TcpStream) -> i32 {
    let mut count = 0;
    // SAFETY: the count is written to this variable.
    let asked = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    if asked < 0 { 0 } else { count }
}
