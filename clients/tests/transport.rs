//! Every client that speaks HTTP, against servers that misbehave.

use std::io::{Read, Write};
use std::net::TcpListener;

use elenchus_clients::{ClientSpec, EtcdSpec, SpecimenSpec};
use elenchus_core::{Failure, Target, Value};

fn speaking_to(port: u16) -> [ClientSpec; 2] {
    [ClientSpec::Etcd(EtcdSpec { port, ..EtcdSpec::default() }), ClientSpec::Specimen(SpecimenSpec { port })]
}

async fn write_to(spec: &ClientSpec) -> Result<(), Failure> {
    let mut connection = spec.build().connect(&Target { node: "n1".into(), address: "127.0.0.1".into() }).await?;
    connection.register().unwrap().write(&Value::from("k"), &Value::Int(1)).await
}

#[tokio::test]
async fn nobody_there_is_a_failure() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for spec in speaking_to(port) {
        let told = write_to(&spec).await;
        assert!(matches!(told, Err(Failure::Fail(_))), "{spec:?}: {told:?}");
    }
}

#[tokio::test]
async fn whatever_comes_back_that_proves_nothing_is_doubt() {
    let answers: [&[u8]; 6] = [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 503 Busy\r\nContent-Length: 38\r\n\r\n{\"error\":\"etcdserver: leader changed\"}\n",
        b"HTTP/1.1 302 Elsewhere\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        b"\x00\xff\xfenot http at all\r\n\r\n",
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
            }
        });
        for spec in speaking_to(port) {
            let told = write_to(&spec).await;
            assert!(matches!(told, Err(Failure::Info(_))), "{spec:?} on {:?}: {told:?}", String::from_utf8_lossy(answer));
        }
    }
}
