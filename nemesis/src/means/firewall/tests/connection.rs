//! A connection that was open before the cut.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use super::super::{Peers, Rule, Way, apply, assert_applied, remove};

const SILENCE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a script in the network namespace of this thread.
fn here(script: &str) {
    let output = Command::new("sh").args(["-c", script]).output().expect("sh runs");
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
}

/// The two ends of a wire, each in a namespace that its thread alone is in, and what each has to say and hear.
fn over_a_wire(deaf: IpAddr, heard: IpAddr, hears: impl FnOnce(TcpListener) + Send, speaks: impl FnOnce(SocketAddr) + Send) {
    let (length, flags) = if deaf.is_ipv6() { (64, "nodad") } else { (24, "") };
    let ((own, other), (listening, listens), (made, is_made)) = (channel::<i32>(), channel::<SocketAddr>(), channel::<()>());
    std::thread::scope(|scope| {
        scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
            own.send(nix::unistd::gettid().as_raw()).expect("awaited");
            is_made.recv().expect("a wire");
            here(&format!("ip link set lo up; ip addr add {deaf}/{length} dev ear {flags} && ip link set ear up"));
            let listener = TcpListener::bind((deaf, 0)).expect("an address");
            listening.send(listener.local_addr().expect("bound")).expect("awaited");
            hears(listener);
        });
        scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
            let peer = other.recv().expect("the other end");
            here(&format!("ip link add mouth type veth peer name ear && ip link set ear netns {peer}"));
            here(&format!("ip addr add {heard}/{length} dev mouth {flags} && ip link set mouth up"));
            made.send(()).expect("awaited");
            speaks(listens.recv().expect("a listener"));
        });
    });
}

fn may_make_namespaces() -> bool {
    let allowed = std::thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET).is_ok()).join().is_ok_and(|made| made);
    if !allowed {
        println!("skipped: only root can make the network namespaces of this test");
    }
    allowed
}

#[test]
fn hears_nothing_while_it_is_cut() {
    if !may_make_namespaces() {
        return;
    }
    for tool in super::TOOLS {
        if super::in_own_namespace(tool, "true").is_none() {
            continue;
        }
        for (deaf, heard) in [("10.7.0.1", "10.7.0.2"), ("fd07::1", "fd07::2")] {
            let (deaf, heard): (IpAddr, IpAddr) = (deaf.parse().expect("an address"), heard.parse().expect("an address"));
            let rules = vec![Rule::stop(Way::In, Peers::These(vec![heard]))];
            let script = move |script: String| format!("{}{script}", tool.prelude());
            let ((is_cut, proceed), (is_silent, go_on)) = (channel::<()>(), channel::<()>());
            over_a_wire(
                deaf,
                heard,
                move |listener| {
                    let (mut stream, _) = listener.accept().expect("a connection");
                    let mut byte = [0];
                    stream.read_exact(&mut byte).expect("a byte before the cut");
                    here(&script(apply(1, &rules)));
                    here(&script(assert_applied(1, &rules)));
                    is_cut.send(()).expect("awaited");
                    stream.set_read_timeout(Some(SILENCE)).expect("set");
                    let heard_then = stream.read(&mut byte);
                    assert!(
                        matches!(&heard_then, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)),
                        "{tool:?} to {deaf}: {heard_then:?}"
                    );
                    here(&script(remove(1)));
                    is_silent.send(()).expect("awaited");
                    stream.set_read_timeout(Some(PATIENCE)).expect("set");
                    stream.read_exact(&mut byte).expect("what was lost is sent again");
                },
                move |address| {
                    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).expect("connected");
                    stream.write_all(b"a").expect("sent");
                    proceed.recv().expect("cut");
                    stream.write_all(b"b").expect("sent");
                    go_on.recv().expect("silence");
                },
            );
        }
    }
}
