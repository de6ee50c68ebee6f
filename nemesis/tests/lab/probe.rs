//! The measuring program on the nodes: a server that echoes or performs an action per byte, and short client commands.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The echo ports, TCP and UDP.
const PORTS: [u16; 2] = [7000, 7001];

/// The port that returns the time: nanoseconds since 1970, eight bytes.
const TIME: u16 = 7005;

/// The port that answers each 8-byte request with `REPLY` bytes, and the port that returns the number of requests in eight bytes.
const ASKED: u16 = 7007;
const COUNT: u16 = 7008;
const REPLY: usize = 1000;

/// The ports that answer anything with a fixed reply and close the connection.
const REPLIES: [(u16, &[u8]); 2] = [
    (7010, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{\"value\":\"faithful\",\"count\":538}"),
    (7011, b"$8\r\nfaithful\r\n"),
];

/// An action of the server that can fail.
type Action = fn() -> std::io::Result<()>;

/// For each byte that arrives at one of these ports the server performs an action that uses a resource, then echoes the byte.
const ACTIONS: [(u16, Action); 4] = [(7002, take_memory), (7003, write_to_disk), (7004, start_a_session), (7006, read_from_disk)];

/// The directory of the disk for I/O actions.
const DISK: &str = "/mnt/disk";

/// The receive buffer of UDP sockets, in bytes.
const BUFFER: usize = 8 << 20;

/// The time-out for an answer.
const TIMEOUT: Duration = Duration::from_millis(1500);

pub(crate) fn main(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve"] => serve(),
        ["answer"] => echo_packets(&datagrams("0.0.0.0:53").unwrap()),
        ["tcp", address, port] => println!("{}", tcp(&target(address, port))),
        ["udp", address, port] => println!("{}", udp(target(address, port))),
        ["echoes", address, port, count, size] => {
            let echoes = echoes(target(address, port), count.parse().unwrap(), size.parse().unwrap());
            println!("{}", echoes.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
        }
        ["roundtrip", address, port] => println!("{}", roundtrip(target(address, port))),
        ["ask", address, port, count] => {
            for _ in 0..count.parse().unwrap() {
                println!("{}", ask(&target(address, port)));
            }
        }
        ["asked", address] => {
            let mut count = [0; 8];
            TcpStream::connect(target(address, &COUNT.to_string())).unwrap().read_exact(&mut count).unwrap();
            println!("{}", u64::from_le_bytes(count));
        }
        ["reply", address, port] => println!("{}", reply(&target(address, port)).unwrap_or_else(|error| word(&error).into())),
        ["hold", address, port] => hold(&target(address, port)),
        ["name", name] => println!("{}", resolve(name)),
        ["ahead", address] => {
            println!("{}", ahead(&target(address, &TIME.to_string())).map_or_else(|error| word(&error).into(), |ahead| ahead.to_string()))
        }
        ["bytes", address, port] => println!("{}", bytes(&target(address, port))),
        ["actions", address, port, count] => println!("{}", count_actions(&target(address, port), count.parse().unwrap())),
        other => panic!("unknown probe {other:?}"),
    }
}

fn target(address: &str, port: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port.parse().unwrap())
}

/// Listens on IPv6 and IPv4, if both are available.
fn listener(port: u16) -> TcpListener {
    TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port))).unwrap()
}

/// The unspecified address of the same family.
fn any(like: &SocketAddr) -> &'static str {
    if like.is_ipv4() { "0.0.0.0" } else { "::" }
}

fn serve() {
    for (port, action) in ACTIONS {
        let listener = listener(port);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut byte = [0];
                while stream.read_exact(&mut byte).and_then(|()| action()).and_then(|()| stream.write_all(&byte)).is_ok() {}
            }
        });
    }
    for (port, reply) in REPLIES {
        let listener = listener(port);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 512]).and_then(|_| stream.write_all(reply));
            }
        });
    }
    let threads = PORTS.map(|port| {
        let socket = datagrams(("::", port)).or_else(|_| datagrams(("0.0.0.0", port))).unwrap();
        std::thread::spawn(move || echo_packets(&socket));
        let listener = listener(port);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // If no thread can be started, the connection is closed.
                let _ = std::thread::Builder::new().spawn(move || {
                    let mut writer = stream.try_clone().unwrap();
                    std::io::copy(&mut stream, &mut writer)
                });
            }
        })
    });
    let clock = TcpListener::bind(("0.0.0.0", TIME)).unwrap();
    std::thread::spawn(move || {
        for mut stream in clock.incoming().flatten() {
            let _ = stream.write_all(&now().to_le_bytes());
        }
    });
    answer_requests();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Answers requests, counts them, and returns the count.
fn answer_requests() {
    static COUNTED: AtomicU64 = AtomicU64::new(0);
    let (asked, count) = [ASKED, COUNT].map(listener).into();
    std::thread::spawn(move || {
        for mut stream in asked.incoming().flatten() {
            std::thread::spawn(move || {
                while stream.read_exact(&mut [0; 8]).is_ok() {
                    COUNTED.fetch_add(1, Ordering::SeqCst);
                    if stream.write_all(&[7; REPLY]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    std::thread::spawn(move || {
        for mut stream in count.incoming().flatten() {
            let _ = stream.write_all(&COUNTED.load(Ordering::SeqCst).to_le_bytes());
        }
    });
}

/// Sends a request on a new connection; prints the bytes of the reply, how it ended and its duration in milliseconds.
fn ask(to: &SocketAddr) -> String {
    let (began, mut count, mut bytes) = (Instant::now(), 0, [0; REPLY]);
    let mut asked = || {
        let mut stream = TcpStream::connect_timeout(to, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(b"question")?;
        while count < REPLY {
            match stream.read(&mut bytes)? {
                0 => return Ok("closed"),
                length => count += length,
            }
        }
        Ok("ok")
    };
    let how = asked().unwrap_or_else(|error: std::io::Error| word(&error));
    format!("{count} {how} {}", began.elapsed().as_millis())
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

/// The offset of a server's clock from ours, in seconds.
fn ahead(to: &SocketAddr) -> std::io::Result<i64> {
    let mut stream = TcpStream::connect_timeout(to, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut time = [0; 8];
    stream.read_exact(&mut time)?;
    Ok((i64::from_le_bytes(time) - now()) / 1_000_000_000)
}

/// Allocates and leaks one MiB.
fn take_memory() -> std::io::Result<()> {
    vec![7_u8; 1 << 20].leak();
    Ok(())
}

/// Writes 64 KiB and syncs.
fn write_to_disk() -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(format!("{DISK}/file"))?;
    file.write_all(&[7; 1 << 16])?;
    file.sync_data()
}

/// Reads 64 KiB, bypassing the page cache.
fn read_from_disk() -> std::io::Result<()> {
    use nix::fcntl::OFlag;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};
    static AT: AtomicU64 = AtomicU64::new(0);
    let file = std::fs::OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(format!("{DISK}/file"))?;
    let mut bytes = vec![0; (1 << 16) + 4096];
    // O_DIRECT requires aligned memory.
    let start = bytes.as_ptr().align_offset(4096);
    file.read_exact_at(&mut bytes[start..start + (1 << 16)], AT.fetch_add(1 << 16, Ordering::SeqCst))
}

/// Starts a child in a session of its own.
fn start_a_session() -> std::io::Result<()> {
    std::process::Command::new("setsid").args(["sleep", "86399"]).spawn().map(drop)
}

/// Binds a UDP socket with a large receive buffer, for readers that wait for a processor: the default holds only a dozen of the largest
/// packets. Requires root of the machine.
fn datagrams(address: impl ToSocketAddrs) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &BUFFER);
    Ok(socket)
}

/// Echoes every packet.
fn echo_packets(socket: &UdpSocket) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok((length, from)) = socket.recv_from(&mut bytes) {
        let _ = socket.send_to(&bytes[..length], from);
    }
}

/// A word for the result of an exchange.
fn word(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset",
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "silence",
        _ => "error",
    }
}

fn exchange(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

/// The reply of a server, with non-printable characters escaped.
fn reply(to: &SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(to, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply.escape_ascii().to_string())
}

/// Whether a TCP connection can be made and echoes a byte.
fn tcp(to: &SocketAddr) -> &'static str {
    let asked = TcpStream::connect_timeout(to, TIMEOUT).and_then(|mut stream| exchange(&mut stream));
    asked.map_or_else(|error| word(&error), |()| "ok")
}

/// How many of 400 packets, sent a millisecond apart, are echoed.
fn udp(to: SocketAddr) -> usize {
    let socket = UdpSocket::bind((any(&to), 0)).unwrap();
    let heard = socket.try_clone().unwrap();
    heard.set_read_timeout(Some(Duration::from_millis(800))).unwrap();
    let listening = std::thread::spawn(move || std::iter::from_fn(|| heard.recv(&mut [0; 64]).ok()).count());
    for _ in 0..400 {
        let _ = socket.send_to(b"x", to);
        std::thread::sleep(Duration::from_millis(1));
    }
    listening.join().unwrap()
}

/// The numbers of the echoed packets in order of arrival; `u32::MAX` for a packet that was changed.
fn echoes(to: SocketAddr, count: u32, size: usize) -> Vec<u32> {
    let packet = move |number: u32| number.to_le_bytes().into_iter().cycle().take(size).collect::<Vec<u8>>();
    let socket = datagrams((any(&to), 0)).unwrap();
    let heard = socket.try_clone().unwrap();
    heard.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    let listening = std::thread::spawn(move || {
        let mut bytes = vec![0; 1 << 16];
        std::iter::from_fn(|| {
            let length = heard.recv(&mut bytes).ok()?;
            let number = u32::from_le_bytes(*bytes.first_chunk().unwrap());
            Some(if bytes[..length] == packet(number) { number } else { u32::MAX })
        })
        .collect()
    });
    let pause = Duration::from_millis(1 + size as u64 / 2000);
    for number in 0..count {
        let _ = socket.send_to(&packet(number), to);
        std::thread::sleep(pause);
    }
    listening.join().unwrap()
}

/// The minimum round-trip time of twenty packets, in milliseconds.
fn roundtrip(to: SocketAddr) -> u128 {
    let socket = UdpSocket::bind((any(&to), 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let once = || {
        let began = Instant::now();
        socket.send_to(b"x", to).unwrap();
        socket.recv(&mut [0; 64]).unwrap();
        began.elapsed().as_millis()
    };
    (0..20).map(|_| once()).min().unwrap()
}

/// Keeps a connection open and exchanges a byte for each line of its input; prints the results.
fn hold(to: &SocketAddr) {
    let mut stream = TcpStream::connect_timeout(to, TIMEOUT).unwrap();
    println!("connected");
    for _ in std::io::stdin().lines() {
        println!("{}", exchange(&mut stream).map_or_else(|error| word(&error), |()| "ok"));
    }
}

/// How long it takes to have a million bytes echoed, in milliseconds. Fails when they differ.
fn bytes(to: &SocketAddr) -> u128 {
    let mut stream = TcpStream::connect_timeout(to, TIMEOUT).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let began = Instant::now();
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(|number| (number / 4).to_le_bytes()).take(1_000_000).collect();
    let (mut got, expected) = (vec![0; sent.len()], sent.clone());
    let writing = std::thread::spawn(move || writer.write_all(&sent));
    stream.read_exact(&mut got).unwrap();
    assert!(got == expected, "the echoed bytes differ");
    writing.join().unwrap().unwrap();
    began.elapsed().as_millis()
}

/// The number of actions that succeed, at most `count`, one after the other.
fn count_actions(to: &SocketAddr, count: usize) -> usize {
    let mut stream = TcpStream::connect_timeout(to, TIMEOUT).unwrap();
    (0..count).take_while(|_| stream.write_all(b"x").and_then(|()| stream.read_exact(&mut [0])).is_ok()).count()
}

/// Whether a query to port 53 is answered.
fn resolve(server: &str) -> &'static str {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    let asked = socket.connect((server, 53)).and_then(|()| socket.send(b"x")).and_then(|_| socket.recv(&mut [0; 64]));
    asked.map_or_else(|error| word(&error), |_| "ok")
}
