//! Every client of the table against servers that misbehave: the rule on `fail` and `info` is never broken, nothing panics, no secret is shown.
//!
//! `runner/tests/conformance.rs` holds the same clients against their real servers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use elenchus_clients::{ALL, ClientEntry, ClientSpec};
use elenchus_core::{Connection, Credentials, Deployment, Endpoint, Failure, NodeIndex, Request, Secret, Session, Value, Worker};

const PASSWORD: &str = "correct-horse-battery-staple";

fn session(credentials: bool) -> Session {
    let login = || Credentials { user: "tester".into(), password: Secret::new(PASSWORD) };
    let endpoints = vec![Endpoint { node: "n1".into(), address: "127.0.0.1".into() }];
    let deployment = Deployment { credentials: credentials.then(login), ..Deployment::to(endpoints) };
    Session { deployment: Arc::new(deployment), node: NodeIndex(0), worker: Worker(0), process: 0 }
}

/// Every client that has a server, set to this port.
fn on_port(port: u16) -> impl Iterator<Item = (&'static ClientEntry, ClientSpec)> {
    ALL.iter().filter_map(move |entry| Some((entry, (entry.on_port)(port)?)))
}

/// One request of every function that the client offers.
fn requests(spec: &ClientSpec) -> Vec<Request> {
    let offers = spec.build().offers();
    let samples = offers.iter().flat_map(|offer| offer.data.samples(&Value::from("k")).into_iter().map(move |request| (offer, request)));
    samples.filter(|(offer, request)| offer.covers(request)).map(|(_, request)| request).collect()
}

/// How a request ended.
#[derive(Debug)]
enum Ended {
    /// No connection could be made; nothing was asked.
    Unconnected(Failure),
    Answered(Result<Value, Failure>),
    /// No answer came in time: the conductor records it as `info`.
    Silent,
}

async fn ask(spec: &ClientSpec, request: &Request, credentials: bool) -> Ended {
    let client = spec.build();
    let session = session(credentials);
    let mut connection: Box<dyn Connection> = match tokio::time::timeout(Duration::from_millis(300), client.connect(&session)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(failure)) => return Ended::Unconnected(failure),
        Err(_) => return Ended::Silent,
    };
    match tokio::time::timeout(Duration::from_millis(300), connection.invoke(request)).await {
        Ok(outcome) => Ended::Answered(outcome),
        Err(_) => Ended::Silent,
    }
}

/// A server that treats every connection alike, in a thread of its own for as long as the test runs.
fn serve(treat: fn(TcpStream, &'static [u8]), reply: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|stream| treat(stream, reply)));
    port
}

fn reset_before_reading(stream: TcpStream, _: &'static [u8]) {
    drop(stream);
}

/// Reads the available part of a request, replies and closes the connection.
fn read_and_reply(mut stream: TcpStream, reply: &'static [u8]) {
    let _ = stream.read(&mut [0; 65536]);
    let _ = stream.write_all(reply);
    let _ = stream.shutdown(Shutdown::Write);
    // Until the peer hangs up too: otherwise the kernel resets the connection and what was sent may be lost.
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    let _ = stream.read(&mut [0; 65536]);
}

fn read_and_keep_silent(mut stream: TcpStream, _: &'static [u8]) {
    let _ = stream.read(&mut [0; 65536]);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        drop(stream);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_connection_is_a_fail() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (entry, spec) in on_port(port) {
        for request in requests(&spec) {
            match ask(&spec, &request, false).await {
                Ended::Unconnected(Failure::Fail(_)) | Ended::Answered(Err(Failure::Fail(_))) => {}
                other => panic!("{}: `{request}` on a port where nothing listens: {other:?}", entry.name),
            }
        }
    }
}

/// Replies that prove nothing, in several protocols: none of them may be taken for an answer to a request that writes, nor for a value that was read.
const REPLIES: &[&[u8]] = &[
    b"",
    b"\x00\xff\xfe\x01garbage\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 31\r\n\r\n<html>502 from a proxy</html>\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"kvs\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 38\r\n\r\n{\"error\":\"etcdserver: leader changed\"}\n",
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 53\r\n\r\n{\"error\":\"etcdserver: mvcc: database space exceeded\"}\n",
    b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"-ERR unknown command\r\n",
    b"-LOADING Redis is loading the dataset in memory\r\n",
    b"E\x00\x00\x00\x08FATAL\x00",
    b"{\"type\":\"error\"}\n",
];

/// Holds one client and request against one outcome: it must not succeed, and must be unknown if the request may write.
fn must_prove_nothing(client: &str, request: &Request, ended: Ended, when: &str) {
    let is_allowed = match &ended {
        Ended::Silent | Ended::Unconnected(_) => true,
        Ended::Answered(Ok(_) | Err(Failure::No)) => false,
        Ended::Answered(Err(Failure::Fail(_))) => request.is_read_only(),
        Ended::Answered(Err(Failure::Info(_))) => true,
    };
    assert!(is_allowed, "{client}: `{request}` {when}: {ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_proves_nothing_leaves_doubt() {
    for reply in REPLIES {
        let port = serve(read_and_reply, reply);
        for (entry, spec) in on_port(port) {
            for request in requests(&spec) {
                let when = format!("was answered with {:?}", String::from_utf8_lossy(reply));
                must_prove_nothing(entry.name, &request, ask(&spec, &request, false).await, &when);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_leaves_doubt() {
    for (treat, when) in [
        (reset_before_reading as fn(TcpStream, &'static [u8]), "on a connection that is reset at once"),
        (read_and_keep_silent, "that is never answered"),
    ] {
        let port = serve(treat, b"");
        for (entry, spec) in on_port(port) {
            for request in requests(&spec) {
                must_prove_nothing(entry.name, &request, ask(&spec, &request, false).await, when);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_shown() {
    let shown = format!("{:?}", session(true));
    assert!(!shown.contains(PASSWORD), "a session shows its password: {shown}");
    for reply in REPLIES {
        let port = serve(read_and_reply, reply);
        for (entry, spec) in on_port(port).filter(|(entry, _)| entry.accepts_credentials) {
            for request in requests(&spec) {
                let ended = format!("{:?}", ask(&spec, &request, true).await);
                assert!(!ended.contains(PASSWORD), "{} shows its password: {ended}", entry.name);
            }
        }
    }
}

#[test]
fn every_row_of_the_table_is_consistent() {
    for entry in ALL {
        let spec = (entry.default)();
        assert_eq!(ClientSpec::named(entry.name).as_ref(), Some(&spec));
        assert_eq!(spec.entry().name, entry.name);
        assert!(!entry.about.is_empty() && !entry.about.ends_with('.'), "{}: `about` is a phrase", entry.name);
        let offers = spec.build().offers();
        assert!(!offers.is_empty(), "{} offers nothing", entry.name);
        for offer in &offers {
            let unknown: Vec<_> = offer.functions.iter().filter(|function| !offer.data.functions().contains(function)).collect();
            assert!(unknown.is_empty(), "{} offers {unknown:?}, which the data type {} does not have", entry.name, offer.data);
        }
        // Settings survive being written and read, and unknown ones are refused.
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<ClientSpec>(&text).unwrap(), spec);
        let misspelt = format!("{{{:?}: {{\"no_such_setting\": 1}}}}", entry.name);
        assert!(serde_json::from_str::<ClientSpec>(&misspelt).is_err(), "{} accepts settings that it does not have", entry.name);
    }
}

/// A client that offers a data type implements it: a request is never refused for want of the type.
#[tokio::test(flavor = "multi_thread")]
async fn every_offered_function_is_implemented() {
    let port = serve(reset_before_reading, b"");
    for entry in ALL {
        let spec = (entry.on_port)(port).unwrap_or_else(|| (entry.default)());
        for request in requests(&spec) {
            let ended = format!("{:?}", ask(&spec, &request, false).await);
            assert!(!ended.contains("does not offer"), "{}: `{request}`: {ended}", entry.name);
        }
    }
}
