//! What is measured with, on the nodes: a server that gives back what it gets or does something for each byte, and short questions to it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The ports that are served, by TCP and UDP.
const PORTS: [u16; 2] = [7000, 7001];

/// The port that tells the time: nanoseconds since 1970, eight bytes.
const TIME: u16 = 7005;

/// The port that answers each request of eight bytes by this many, and the one that tells how many requests there were: eight bytes.
const ASKED: u16 = 7007;
const COUNT: u16 = 7008;
const REPLY: usize = 1000;

/// The ports that answer whatever they are asked by these bytes, and close the connection.
const REPLIES: [(u16, &[u8]); 2] = [
    (7010, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n{\"value\":\"faithful\",\"count\":538}"),
    (7011, b"$8\r\nfaithful\r\n"),
];

/// Something that is done, if the kernel lets it.
type Deed = fn() -> std::io::Result<()>;

/// What is done for each byte that comes by TCP to a port, before it is answered: what of the kernel's a server may run out of.
const DEEDS: [(u16, Deed); 4] = [(7002, take_memory), (7003, write_to_disk), (7004, start_a_session), (7006, read_from_disk)];

/// The disk that is written to.
const DISK: &str = "/mnt/disk";

/// What a socket for datagrams holds, in bytes.
const BUFFER: usize = 8 << 20;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(crate) fn main(words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve"] => serve(),
        ["answer"] => give_back(&datagrams("0.0.0.0:53").unwrap()),
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
        ["deeds", address, port, count] => println!("{}", deeds(&target(address, port), count.parse().unwrap())),
        other => panic!("no probe {other:?}"),
    }
}

fn target(address: &str, port: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port.parse().unwrap())
}

/// Serves both versions of the protocol, where there are both.
fn listener(port: u16) -> TcpListener {
    TcpListener::bind(("::", port)).or_else(|_| TcpListener::bind(("0.0.0.0", port))).unwrap()
}

/// Any address of the family of another.
fn any(like: &SocketAddr) -> &'static str {
    if like.is_ipv4() { "0.0.0.0" } else { "::" }
}

fn serve() {
    for (port, deed) in DEEDS {
        let listener = listener(port);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut byte = [0];
                while stream.read_exact(&mut byte).and_then(|()| deed()).and_then(|()| stream.write_all(&byte)).is_ok() {}
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
        std::thread::spawn(move || give_back(&socket));
        let listener = listener(port);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                // Where no thread can be started, the connection is closed.
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

/// Answers requests, counts them, and tells the count.
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

/// A request on a connection of its own: how many bytes of the reply came, how it ended, and after how many milliseconds.
fn ask(to: &SocketAddr) -> String {
    let (began, mut count, mut bytes) = (Instant::now(), 0, [0; REPLY]);
    let mut asked = || {
        let mut stream = TcpStream::connect_timeout(to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
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

/// How many seconds a server's clock is ahead of ours.
fn ahead(to: &SocketAddr) -> std::io::Result<i64> {
    let mut stream = TcpStream::connect_timeout(to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut time = [0; 8];
    stream.read_exact(&mut time)?;
    Ok((i64::from_le_bytes(time) - now()) / 1_000_000_000)
}

/// A mebibyte that is used, and never given back.
fn take_memory() -> std::io::Result<()> {
    vec![7_u8; 1 << 20].leak();
    Ok(())
}

/// 64 KiB that are on the disk.
fn write_to_disk() -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(format!("{DISK}/file"))?;
    file.write_all(&[7; 1 << 16])?;
    file.sync_data()
}

/// 64 KiB from the disk, past what the kernel remembers.
fn read_from_disk() -> std::io::Result<()> {
    use nix::fcntl::OFlag;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};
    static AT: AtomicU64 = AtomicU64::new(0);
    let file = std::fs::OpenOptions::new().read(true).custom_flags(OFlag::O_DIRECT.bits()).open(format!("{DISK}/file"))?;
    let mut bytes = vec![0; (1 << 16) + 4096];
    // Where the kernel reads to past its memory must be aligned.
    let start = bytes.as_ptr().align_offset(4096);
    file.read_exact_at(&mut bytes[start..start + (1 << 16)], AT.fetch_add(1 << 16, Ordering::SeqCst))
}

/// A child that leaves the session.
fn start_a_session() -> std::io::Result<()> {
    std::process::Command::new("setsid").args(["sleep", "86399"]).spawn().map(drop)
}

/// A socket that holds what comes while its reader waits for a processor; as the kernel makes them they hold a dozen of the largest packets,
/// and more only for root of the machine.
fn datagrams(address: impl ToSocketAddrs) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &BUFFER);
    Ok(socket)
}

/// Sends every packet back to where it came from.
fn give_back(socket: &UdpSocket) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok((length, from)) = socket.recv_from(&mut bytes) {
        let _ = socket.send_to(&bytes[..length], from);
    }
}

/// A word for how an exchange went.
fn word(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset",
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "silence",
        _ => "error",
    }
}

fn exchange(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

/// What a server answers to a question, with escapes in place of what is not printed.
fn reply(to: &SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply.escape_ascii().to_string())
}

/// Whether a connection is made and gives back a byte.
fn tcp(to: &SocketAddr) -> &'static str {
    let asked = TcpStream::connect_timeout(to, PATIENCE).and_then(|mut stream| exchange(&mut stream));
    asked.map_or_else(|error| word(&error), |()| "ok")
}

/// How many of 400 packets, sent a millisecond apart, come back.
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

/// The numbers of so many packets of this size, sent some milliseconds apart, in the order in which they come back. One that is not what was sent is no number of theirs.
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

/// The least time, in milliseconds, that one of twenty packets takes there and back.
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

/// Keeps a connection, and exchanges a byte whenever a line is read from its input; says how that went.
fn hold(to: &SocketAddr) {
    let mut stream = TcpStream::connect_timeout(to, PATIENCE).unwrap();
    println!("connected");
    for _ in std::io::stdin().lines() {
        println!("{}", exchange(&mut stream).map_or_else(|error| word(&error), |()| "ok"));
    }
}

/// How long it takes, in milliseconds, to get back a million bytes, the same that were sent.
fn bytes(to: &SocketAddr) -> u128 {
    let mut stream = TcpStream::connect_timeout(to, PATIENCE).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let began = Instant::now();
    let sent: Vec<u8> = (0..1_000_000_u32).flat_map(|number| (number / 4).to_le_bytes()).take(1_000_000).collect();
    let (mut got, expected) = (vec![0; sent.len()], sent.clone());
    let writing = std::thread::spawn(move || writer.write_all(&sent));
    stream.read_exact(&mut got).unwrap();
    assert!(got == expected, "other bytes came back");
    writing.join().unwrap().unwrap();
    began.elapsed().as_millis()
}

/// How many of so many deeds are done, one after the other.
fn deeds(to: &SocketAddr, count: usize) -> usize {
    let mut stream = TcpStream::connect_timeout(to, PATIENCE).unwrap();
    (0..count).take_while(|_| stream.write_all(b"x").and_then(|()| stream.read_exact(&mut [0])).is_ok()).count()
}

/// Whether a question to port 53 gets an answer.
fn resolve(server: &str) -> &'static str {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let asked = socket.connect((server, 53)).and_then(|()| socket.send(b"x")).and_then(|_| socket.recv(&mut [0; 64]));
    asked.map_or_else(|error| word(&error), |_| "ok")
}
