//! The etcd client against a real etcd.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use elenchus_clients::etcd::EtcdReads;
use elenchus_clients::{ClientSpec, EtcdSettings};
use elenchus_core::data::RegisterRequest;
use elenchus_core::{Connection, Deployment, Endpoint, Failure, NodeIndex, Request, Session, Value, Worker};

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

fn session() -> Session {
    let endpoint = Endpoint { node: "n1".into(), address: "127.0.0.1".into() };
    Session { deployment: Deployment::to(vec![endpoint]).into(), node: NodeIndex(0), worker: Worker(0), process: 0 }
}

/// Requests to registers, by their functions.
struct Register(Box<dyn Connection>);

impl Register {
    async fn read(&mut self, key: &Value) -> Result<Value, Failure> {
        self.0.invoke(&RegisterRequest::Read { key: key.clone() }.into()).await
    }

    async fn write(&mut self, key: &Value, value: &Value) -> Result<(), Failure> {
        self.0.invoke(&RegisterRequest::Write { key: key.clone(), value: value.clone() }.into()).await.map(drop)
    }

    async fn compare_and_set(&mut self, key: &Value, old: &Value, new: &Value) -> Result<bool, Failure> {
        let request: Request = RegisterRequest::CompareAndSet { key: key.clone(), old: old.clone(), new: new.clone() }.into();
        match self.0.invoke(&request).await {
            Ok(_) => Ok(true),
            Err(Failure::No) => Ok(false),
            Err(other) => Err(other),
        }
    }
}

#[tokio::test]
async fn registers_of_a_real_etcd() {
    let Some(etcd) = start() else { return };
    for reads in [EtcdReads::Linearizable, EtcdReads::Serializable] {
        let client = ClientSpec::Etcd(EtcdSettings { port: etcd.port, reads }).build();
        let mut register = Register(client.connect(&session()).await.unwrap());
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
    let client = ClientSpec::Etcd(EtcdSettings { port: etcd.port, reads: EtcdReads::Linearizable }).build();
    let mut register = Register(client.connect(&session()).await.unwrap());
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
