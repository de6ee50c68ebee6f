//! A TCP proxy on the server's node that loses, cuts, stalls, delays, replays and alters messages between clients and the server.
//!
//! The firewall redirects new connections to the proxy, which asks the kernel for the original destination and connects to it. Only
//! alterations depend on the protocol: otherwise a message is what one side sends until the other one does, and a reply is a message of the
//! server that follows one of the client.

mod alter;
mod connection;
mod policy;
mod settings;
mod socket;

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

pub use settings::{Alter, Cut, End, Protocol, Settings, Side};

use crate::{Result, failed};
use policy::Policy;

/// The pause after a failed `accept`.
const PAUSE: Duration = Duration::from_millis(50);

/// Proxies connections that arrive at `port` until the process is killed. The seed decides every random choice.
///
/// # Errors
/// When the port is in use.
pub fn run(port: u16, settings: &Settings, seed: u64) -> Result<()> {
    let listener = listen(port)?;
    let settings = Arc::new(settings.clone());
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(PAUSE);
            continue;
        };
        // Each connection has its own random numbers, so that connections do not affect each other.
        let policy = Policy::new(Arc::clone(&settings), random.fork());
        // Without a thread the connection is closed.
        let _ = connection::small_thread(move || connection::serve(client, port, policy));
    }
}

/// Fails unless [`run`] can listen here.
///
/// # Errors
/// Why it cannot.
pub fn trial() -> Result<()> {
    listen(0).map(drop)
}

fn listen(port: u16) -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
    listener.map_err(failed(format!("listening on port {port}")))
}
