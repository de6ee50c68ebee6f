//! The etcd client against a real etcd.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use elenchus_clients::{ClientSpec, EtcdReads, EtcdSpec};
use elenchus_core::{Failure, Target, Value};

struct Etcd {
    process: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start() -> Option<Etcd> {
    let dir = tempfile::tempdir().unwrap();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (port, peers) = (free(), free());
    let (client, peer) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peers}"));
    let process = Command::new("etcd")
        .args(["--name", "only", "--listen-client-urls", &client, "--advertise-client-urls", &client, "--listen-peer-urls", &peer])
        .args(["--initial-advertise-peer-urls", &peer, "--initial-cluster", &format!("only={peer}"), "--data-dir"])
        .arg(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match process {
        Ok(process) => Some(Etcd { process, port, _dir: dir }),
        Err(error) => {
            println!("skipped: etcd cannot be started (package etcd-server): {error}");
            None
        }
    }
}

fn here() -> Target {
    Target { node: "n1".into(), address: "127.0.0.1".into() }
}

#[tokio::test]
async fn registers_of_a_real_etcd() {
    let Some(etcd) = start() else { return };
    for reads in [EtcdReads::Linearizable, EtcdReads::Serializable] {
        let client = ClientSpec::Etcd(EtcdSpec { port: etcd.port, reads }).build();
        let mut connection = client.connect(&here()).await.unwrap();
        let register = connection.register().unwrap();
        let key = Value::from(format!("k {reads:?}"));
        for _ in 0..200 {
            match register.read(&key).await {
                Ok(value) => {
                    assert_eq!(value, Value::Nil);
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let value = |number| Value::Int(number);
        assert!(!register.compare_and_set(&key, &value(1), &value(2)).await.unwrap());
        assert!(register.compare_and_set(&key, &Value::Nil, &value(1)).await.unwrap());
        assert!(!register.compare_and_set(&key, &Value::Nil, &value(3)).await.unwrap());
        assert_eq!(register.read(&key).await.unwrap(), value(1));
        register.write(&key, &value(4)).await.unwrap();
        assert!(register.compare_and_set(&key, &value(4), &value(5)).await.unwrap());
        assert_eq!(register.read(&key).await.unwrap(), value(5));
    }
}

#[tokio::test]
async fn a_dead_etcd_refuses_and_a_dying_one_leaves_doubt() {
    let Some(mut etcd) = start() else { return };
    let client = ClientSpec::Etcd(EtcdSpec { port: etcd.port, reads: EtcdReads::Linearizable }).build();
    let mut connection = client.connect(&here()).await.unwrap();
    let register = connection.register().unwrap();
    let (key, value) = (Value::from("k"), Value::Int(1));
    while register.write(&key, &value).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let pid = etcd.process.id().to_string();
    assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let asked = async { register.write(&key, &Value::Int(2)).await };
    let kill = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        etcd.process.kill().unwrap();
        etcd.process.wait().unwrap();
    };
    let (told, ()) = tokio::join!(asked, kill);
    assert!(matches!(told, Err(Failure::Info(_))), "{told:?}");
    let told = register.write(&key, &value).await;
    assert!(matches!(told, Err(Failure::Fail(_))), "nothing was sent: {told:?}");
}
