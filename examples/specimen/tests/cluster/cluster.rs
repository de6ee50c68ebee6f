//! A cluster of processes, and a client for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use elenchus_specimen::Status;
use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::COMMAND;
use crate::link::Link;

/// The time-out for conditions that must become true, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Nodes `n1`, `n2`, … When dropped, kills them and asserts that none panicked.
pub(crate) struct Cluster {
    directory: TempDir,
    defect: Option<&'static str>,
    addresses: BTreeMap<String, String>,
    links: BTreeMap<(String, String), Link>,
    running: Mutex<BTreeMap<String, Child>>,
    http: reqwest::Client,
}

impl Cluster {
    /// Starts a cluster whose nodes all have this defect, and waits for a leader.
    pub(crate) async fn start(size: usize, defect: Option<&'static str>) -> Cluster {
        let cluster = Cluster::prepare(size, defect).await;
        cluster.start_all();
        cluster.leader().await;
        cluster
    }

    /// A cluster without running nodes.
    pub(crate) async fn prepare(size: usize, defect: Option<&'static str>) -> Cluster {
        let listeners: Vec<TcpListener> = (0..size).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: BTreeMap<String, String> =
            listeners.iter().enumerate().map(|(at, port)| (format!("n{}", at + 1), port.local_addr().unwrap().to_string())).collect();
        let mut links = BTreeMap::new();
        for from in addresses.keys() {
            for (to, address) in addresses.iter().filter(|(to, _)| *to != from) {
                links.insert((from.clone(), to.clone()), Link::to(address.clone()).await);
            }
        }
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        Cluster { directory: tempfile::tempdir().unwrap(), defect, addresses, links, running: Mutex::default(), http }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.addresses.keys().cloned().collect()
    }

    pub(crate) fn start_all(&self) {
        self.names().iter().for_each(|name| self.start_node(name));
    }

    pub(crate) fn start_node(&self, name: &str) {
        let peers: Vec<String> = self
            .addresses
            .iter()
            .map(|(to, address)| {
                let address = self.links.get(&(name.to_owned(), to.clone())).map_or(address, |link| &link.address);
                format!("{to}={address}")
            })
            .collect();
        let data = self.directory.path().join(name);
        let mut line = vec!["specimen".to_owned(), "serve".into(), "--name".into(), name.into(), "--peers".into(), peers.join(",")];
        line.extend(["--listen".into(), self.addresses[name].clone(), "--data".into(), data.to_str().unwrap().into()]);
        // Slower than the default, so that a busy machine does not cause elections that the test did not ask for.
        line.extend(["--heartbeat".into(), "250ms".into()]);
        line.extend(self.defect.iter().flat_map(|defect| ["--defect".to_owned(), (*defect).into()]));
        let output = File::options().create(true).append(true).open(self.output_path(name)).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "node", "--nocapture"])
            .env(COMMAND, line.join("\n"))
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        self.running.lock().unwrap().insert(name.to_owned(), child);
    }

    /// Kills nodes with SIGKILL.
    pub(crate) fn kill(&self, names: &[&str]) {
        let mut killed: Vec<Child> = names.iter().map(|name| self.take(name)).collect();
        killed.iter_mut().for_each(|child| child.kill().unwrap());
        killed.iter_mut().for_each(|child| assert!(!child.wait().unwrap().success()));
    }

    /// Stops a node with SIGTERM.
    pub(crate) async fn stop(&self, name: &str) -> ExitStatus {
        let child = self.take(name);
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        wait(child).await
    }

    /// Waits until the node's process exits by itself.
    pub(crate) async fn ended(&self, name: &str) -> ExitStatus {
        wait(self.take(name)).await
    }

    fn take(&self, name: &str) -> Child {
        self.running.lock().unwrap().remove(name).unwrap()
    }

    fn running(&self) -> Vec<String> {
        self.running.lock().unwrap().keys().cloned().collect()
    }

    fn output_path(&self, name: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.output"))
    }

    /// The output of the node so far.
    pub(crate) fn output(&self, name: &str) -> String {
        std::fs::read_to_string(self.output_path(name)).unwrap()
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        Path::new(self.directory.path()).join(name).join("specimen.log")
    }

    /// Partitions the node from all others, or heals the partition.
    pub(crate) fn isolate(&self, name: &str, cut: bool) {
        self.links.iter().filter(|((from, to), _)| from == name || to == name).for_each(|(_, link)| link.set_cut(cut));
    }

    /// Sends a request to a node. Returns `None` if there was no valid answer.
    pub(crate) async fn ask(&self, name: &str, method: Method, path: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let request = self.http.request(method, format!("http://{}{path}", self.addresses[name]));
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    pub(crate) async fn read(&self, name: &str, key: &str) -> Option<(u16, Value)> {
        self.ask(name, Method::GET, &format!("/v1/keys/{key}"), None).await
    }

    pub(crate) async fn write(&self, name: &str, key: &str, value: Value) -> Option<(u16, Value)> {
        self.ask(name, Method::PUT, &format!("/v1/keys/{key}"), Some(json!({ "value": value }))).await
    }

    pub(crate) async fn cas(&self, name: &str, key: &str, expect: Value, value: Value) -> Option<(u16, Value)> {
        self.ask(name, Method::POST, &format!("/v1/keys/{key}/cas"), Some(json!({ "expect": expect, "value": value }))).await
    }

    pub(crate) async fn status(&self, name: &str) -> Option<Status> {
        let (_, status) = self.ask(name, Method::GET, "/v1/status", None).await?;
        serde_json::from_value(status).ok()
    }

    /// Waits until all running nodes agree on a leader, and returns it.
    pub(crate) async fn leader(&self) -> String {
        let running = self.running();
        self.leader_of(&running.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// Waits until these nodes agree on a leader among themselves, and returns it.
    pub(crate) async fn leader_of(&self, names: &[&str]) -> String {
        let agreed = self.eventually("one leader", async || {
            let mut leaders = Vec::new();
            for name in names {
                leaders.push(self.status(name).await?.leader?);
            }
            leaders.dedup();
            (leaders.len() == 1 && names.contains(&leaders[0].as_str())).then(|| leaders.remove(0))
        });
        agreed.await
    }

    /// Waits until all running nodes have applied the same entries.
    pub(crate) async fn settled(&self) {
        let equal = async || {
            let mut applied = Vec::new();
            for name in self.running() {
                let status = self.status(&name).await?;
                applied.push((status.last?, status.applied?));
            }
            applied.dedup();
            (applied.len() == 1 && applied[0].0 == applied[0].1).then_some(())
        };
        self.eventually("agreement on the applied entries", equal).await;
    }

    /// Reads until a read succeeds.
    pub(crate) async fn read_eventually(&self, name: &str, key: &str) -> Value {
        let read = async || self.read(name, key).await.and_then(|(code, body)| (code == 200).then(|| body["value"].clone()));
        self.eventually("a read", read).await
    }

    /// Writes until a write succeeds.
    pub(crate) async fn write_eventually(&self, name: &str, key: &str, value: Value) {
        self.eventually("a write", async || self.write(name, key, value.clone()).await.filter(|(code, _)| *code == 200)).await;
    }

    /// Writes, and waits until every running node has applied the write, even if it was acknowledged earlier.
    pub(crate) async fn write_everywhere(&self, name: &str, key: &str, value: Value) {
        let before = self.eventually("a status", async || self.status(name).await).await.last;
        self.write_eventually(name, key, value).await;
        self.eventually("the write", async || (self.status(name).await?.last > before).then_some(())).await;
        self.settled().await;
    }

    /// Repeats the attempt until it returns a value.
    pub(crate) async fn eventually<T>(&self, what: &str, attempt: impl AsyncFn() -> Option<T>) -> T {
        let tries = async {
            loop {
                if let Some(result) = attempt().await {
                    return result;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(TIMEOUT, tries).await {
            Ok(result) => result,
            Err(_) => {
                let outputs: Vec<String> = self.names().iter().map(|name| format!("--- {name}\n{}", self.output(name))).collect();
                panic!("no {what} within {TIMEOUT:?}\n{}", outputs.join("\n"))
            }
        }
    }
}

async fn wait(mut child: Child) -> ExitStatus {
    tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.running.get_mut().unwrap().values_mut() {
            // Fails if the process has exited already.
            drop(child.kill());
            drop(child.wait());
        }
        for name in self.names() {
            let output = std::fs::read_to_string(self.output_path(&name)).unwrap_or_default();
            assert!(std::thread::panicking() || !output.contains("panicked at"), "{name} panicked:\n{output}");
        }
    }
}
