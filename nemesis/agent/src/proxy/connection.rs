//! One proxied connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::Builder;
use std::time::Duration;

use super::policy::{Action, Policy};
use super::{End, Side, socket};

/// The size of the buffer, in bytes.
const BUFFER: usize = 1 << 16;

/// The stack size of a thread, in bytes.
const STACK_SIZE: usize = 256 << 10;

/// The time-out for connecting to the server.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The connections to the client and to the server.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    state: Mutex<State>,
}

struct State {
    policy: Policy,
    is_over: bool,
}

/// Starts a thread with a small stack.
pub(super) fn small_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().stack_size(STACK_SIZE).spawn(run).map(drop)
}

/// Forwards data between a client and its original destination until both have ended. `port` is the proxy's own.
pub(super) fn serve(client: TcpStream, port: u16, policy: Policy) {
    // A connection that was not redirected was made to this port.
    let Some(address) = socket::original_destination(&client).ok().filter(|address| address.port() != port) else { return };
    let Ok(server) = TcpStream::connect_timeout(&address, TIMEOUT) else {
        // Like a closed port without the proxy.
        socket::reset_when_closed(&client);
        return;
    };
    for stream in [&client, &server] {
        // Pieces are forwarded as they arrive, at once.
        let _ = stream.set_nodelay(true);
    }
    let pair = Arc::new(Pair { client, server, state: Mutex::new(State { policy, is_over: false }) });
    let other = Arc::clone(&pair);
    if small_thread(move || other.forward(Side::Server, address)).is_ok() {
        pair.forward(Side::Client, address);
    }
}

impl Pair {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Forwards what one side sends, until it ends.
    fn forward(&self, side: Side, server: SocketAddr) {
        let (mut from, mut to) = if side == Side::Client { (&self.client, &self.server) } else { (&self.server, &self.client) };
        let mut bytes = vec![0; BUFFER];
        loop {
            let length = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A reset is forwarded as a reset.
                Err(_) => return self.end(End::Reset),
            };
            let mut state = self.state();
            if state.is_over {
                return;
            }
            let Action { delay, forward, replay, end } = state.policy.handle(side, &mut bytes[..length]);
            drop(state);
            if let Some(request) = replay {
                let _ = small_thread(move || replay_request(server, &request));
            }
            std::thread::sleep(delay);
            if to.write_all(&bytes[..forward]).is_err() {
                return self.end(End::Reset);
            }
            if let Some(end) = end {
                return self.end(end);
            }
        }
        let state = self.state();
        let (is_over, is_stalled) = (state.is_over, state.policy.is_stalled());
        drop(state);
        if is_stalled && side == Side::Client {
            // The client has gone, so there is nothing to stall.
            self.end(End::Close);
        } else if !is_over && !is_stalled {
            // A half-closed connection: the other direction stays open.
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    /// Ends both connections and wakes the threads that wait for them.
    fn end(&self, end: End) {
        self.state().is_over = true;
        for stream in [&self.client, &self.server] {
            let how = match end {
                End::Reset => {
                    socket::reset_when_closed(stream);
                    Shutdown::Read
                }
                End::Close => Shutdown::Both,
            };
            let _ = stream.shutdown(how);
        }
    }
}

/// Sends a request replay, on a connection whose reply is discarded.
fn replay_request(server: SocketAddr, request: &[u8]) {
    let Ok(mut stream) = TcpStream::connect_timeout(&server, TIMEOUT) else { return };
    let _ = stream.set_read_timeout(Some(TIMEOUT));
    // The first bytes of a reply show that the server has processed the request.
    let _ = stream.write_all(request).and_then(|()| stream.read(&mut [0; BUFFER / 16]));
}
