//! One connection that passes through.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::Builder;
use std::time::Duration;

use super::talk::{Step, Talk};
use super::{End, Side, socket};

/// How many bytes are passed on at a time.
const PIECE: usize = 1 << 16;

/// What a thread needs here, in bytes.
const STACK: usize = 256 << 10;

/// How long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Two connections that are one to their ends.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    state: Mutex<State>,
}

struct State {
    talk: Talk,
    is_over: bool,
}

/// A thread of its own for something that waits most of the time.
pub(super) fn small_thread(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    Builder::new().stack_size(STACK).spawn(run).map(drop)
}

/// Passes on what a client and the server that it wanted say to each other, until both have ended. `port` is ours.
pub(super) fn serve(client: TcpStream, port: u16, talk: Talk) {
    // Who was not sent here by the firewall wanted this port.
    let Some(address) = socket::original_destination(&client).ok().filter(|address| address.port() != port) else { return };
    let Ok(server) = TcpStream::connect_timeout(&address, PATIENCE) else {
        // As without us, where nobody listens.
        socket::reset_when_closed(&client);
        return;
    };
    for stream in [&client, &server] {
        // What comes in pieces goes on in the same pieces, at once.
        let _ = stream.set_nodelay(true);
    }
    let pair = Arc::new(Pair { client, server, state: Mutex::new(State { talk, is_over: false }) });
    let other = Arc::clone(&pair);
    if small_thread(move || other.pass(Side::Server, address)).is_ok() {
        pair.pass(Side::Client, address);
    }
}

impl Pair {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Passes on what one side says, until it ends.
    fn pass(&self, side: Side, server: SocketAddr) {
        let (mut from, mut to) = if side == Side::Client { (&self.client, &self.server) } else { (&self.server, &self.client) };
        let mut bytes = vec![0; PIECE];
        loop {
            let length = match from.read(&mut bytes) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // It was reset: so is the other.
                Err(_) => return self.end(End::Reset),
            };
            let mut state = self.state();
            if state.is_over {
                return;
            }
            let Step { delay, pass, again, end } = state.talk.hear(side, &mut bytes[..length]);
            drop(state);
            if let Some(request) = again {
                let _ = small_thread(move || send_again(server, &request));
            }
            std::thread::sleep(delay);
            if to.write_all(&bytes[..pass]).is_err() {
                return self.end(End::Reset);
            }
            if let Some(end) = end {
                return self.end(end);
            }
        }
        let state = self.state();
        let (is_over, is_stalled) = (state.is_over, state.talk.is_stalled());
        drop(state);
        if is_stalled && side == Side::Client {
            // Nobody is left to be kept waiting.
            self.end(End::Close);
        } else if !is_over && !is_stalled {
            // It says no more, but it may still hear.
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    /// Ends both sides, and wakes whoever waits for one of them.
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

/// Says a request once more, to a server that may answer it to nobody.
fn send_again(server: SocketAddr, request: &[u8]) {
    let Ok(mut stream) = TcpStream::connect_timeout(&server, PATIENCE) else { return };
    let _ = stream.set_read_timeout(Some(PATIENCE));
    // It has been understood when it is answered.
    let _ = stream.write_all(request).and_then(|()| stream.read(&mut [0; PIECE / 16]));
}
