//! Between clients and a server: a TCP proxy on the server's node, which loses replies, cuts, stalls, delays, replays and alters.
//!
//! The firewall sends new connections to it rather than to the server; it asks the kernel whom they were meant for, and connects there itself. It knows no protocol but
//! where values are altered: a message is what one side says until the other speaks, a reply the message of the server that follows one of the client.

mod alter;
mod connection;
mod settings;
mod socket;
mod talk;

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

pub use settings::{Alter, Cut, End, Protocol, Settings, Side};

use crate::{Result, failed};
use talk::Talk;

/// How long it waits when it can take no more connections.
const PAUSE: Duration = Duration::from_millis(50);

/// Stands between clients and servers until it is killed; clients come to this port. The seed decides what is left to chance.
///
/// # Errors
/// When the port is somebody else's.
pub fn run(port: u16, settings: &Settings, seed: u64) -> Result<()> {
    let listener = listen(port)?;
    let settings = Arc::new(settings.clone());
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(PAUSE);
            continue;
        };
        // Each connection has its own chance, whatever the others do meanwhile.
        let talk = Talk::new(Arc::clone(&settings), random.fork());
        // Whom nobody can serve is closed.
        let _ = connection::small_thread(move || connection::serve(client, port, talk));
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
    listener.map_err(failed(format!("port {port}, to which connections are to come")))
}
