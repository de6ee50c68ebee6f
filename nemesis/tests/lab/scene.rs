//! Three nodes with a server on each, and the faults injected there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use elenchus_control::config::HostConfig;
use elenchus_control::lab::Lab;
use elenchus_control::system::{Definition, Node, System};
use elenchus_control::{Command, Host};
use elenchus_core::{FaultEvent, FaultPhase, Kind, Seed, Symbol};
use elenchus_nemesis::{Cluster, FaultSchedule, Ledger, NemesisError, Outcome, Roster, Safety, Scheduled};
use futures_util::future::join_all;
use tokio::sync::watch;

/// The path of this program on the nodes.
pub(crate) const PROBE: &str = "/opt/elenchus-probe";

/// The system under test.
const SYSTEM: &str = "{name: probe, start: {command: 'exec /opt/elenchus-probe probe serve'}}";

/// An event of a fault: its phase, how it ended, and the error.
pub(crate) type Recorded = (FaultPhase, Kind, Option<String>);

/// The cluster of the tests.
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    /// The SSH settings of each node.
    pub(crate) logins: Vec<(String, HostConfig)>,
    /// The result of [`Scene::traces`] without faults.
    clean: Vec<String>,
}

impl Scene {
    /// Uploads the server and starts it on every node.
    pub(crate) async fn new(lab: &Lab) -> Scene {
        let nodes = lab.nodes.iter().map(|node| Node {
            name: node.name.clone(),
            address: node.address.to_string(),
            host: Host::new(&node.name, node.host.clone()),
        });
        let nodes: Vec<Node> = nodes.collect();
        let cluster = cluster(nodes);
        for node in &cluster.nodes {
            node.host.upload(&std::env::current_exe().unwrap(), PROBE, 0o755, |_, _| {}).await.unwrap();
            cluster.system.as_ref().unwrap().start(node).await.unwrap();
        }
        let logins = lab.nodes.iter().map(|node| (node.name.clone(), node.host.clone())).collect();
        let mut scene = Scene { cluster, logins, clean: Vec::new() };
        scene.await_servers().await;
        scene.clean = scene.traces().await;
        scene
    }

    /// Runs `during` with the nodes' IPv6 addresses.
    pub(crate) async fn by_ipv6(&self, during: impl AsyncFnOnce(&Scene)) {
        let addresses = ["fd00:e1e::1", "fd00:e1e::2", "fd00:e1e::3"];
        for (node, address) in addresses.iter().enumerate() {
            self.on(node + 1, &format!("ip -6 addr add {address}/64 dev eth0 nodad")).await;
        }
        let nodes = self.cluster.nodes.iter().zip(addresses);
        let nodes = nodes.map(|(node, address)| Node { address: address.to_owned(), ..node.clone() });
        during(&Scene { cluster: cluster(nodes.collect()), logins: self.logins.clone(), clean: self.clean.clone() }).await;
        for (node, address) in addresses.iter().enumerate() {
            self.on(node + 1, &format!("ip -6 addr del {address}/64 dev eth0")).await;
        }
    }

    /// The same nodes with another system next to the server.
    pub(crate) fn with_system(&self, definition: &str) -> Scene {
        let cluster = cluster_with(self.cluster.nodes.clone(), definition);
        Scene { cluster, logins: self.logins.clone(), clean: self.clean.clone() }
    }

    /// The same nodes without a known way to power them on.
    pub(crate) fn without_power_on(&self) -> Scene {
        let logins: Vec<(String, HostConfig)> =
            self.logins.iter().map(|(name, config)| (name.clone(), HostConfig { power_on: None, ..config.clone() })).collect();
        let nodes = self.cluster.nodes.iter().zip(&logins);
        let nodes = nodes.map(|(node, (name, config))| Node { host: Host::new(name, config.clone()), ..node.clone() });
        Scene { cluster: cluster(nodes.collect()), clean: self.clean.clone(), logins }
    }

    /// Runs a script, which must succeed, and returns its output. Nodes are counted from 1, like their names.
    pub(crate) async fn on(&self, node: usize, script: &str) -> String {
        self.cluster.nodes[node - 1].host.run(Command::sh(script)).await.unwrap().stdout_text()
    }

    /// The result of a probe from one node to another.
    pub(crate) async fn probe(&self, from: usize, what: &str, to: usize, port: u16) -> String {
        self.on(from, &format!("{PROBE} probe {what} {} {port}", self.cluster.nodes[to - 1].address)).await
    }

    /// Runs `during` while a fault is active; checks that it is verified and healed.
    pub(crate) async fn while_active(&self, line: &str, during: impl AsyncFnOnce()) {
        assert_eq!(self.while_active_or_ended(line, during).await, None, "{line}");
    }

    /// The same for a fault that may end early; returns the doubt that the heal reports.
    pub(crate) async fn while_active_or_ended(&self, line: &str, during: impl AsyncFnOnce()) -> Option<String> {
        let (said, outcome) = self.run_faults(&[line], during).await.unwrap();
        assert!(outcome.unhealed.is_empty(), "{line}: {outcome:?}");
        let [.., (FaultPhase::Heal, healed, doubt)] = said.as_slice() else { panic!("{line}: {said:?}") };
        let kinds: Vec<(FaultPhase, Kind)> = said.iter().map(|(phase, kind, _)| (*phase, *kind)).collect();
        let expected = [(FaultPhase::Inject, Kind::Ok), (FaultPhase::Heal, *healed)]
            .map(|(phase, kind)| [(phase, Kind::Invoke), (phase, kind)])
            .concat();
        assert_eq!(kinds, expected, "{line}: {said:?}");
        assert_eq!(*healed, if doubt.is_none() { Kind::Ok } else { Kind::Info }, "{line}: {said:?}");
        doubt.clone()
    }

    /// Runs `during` while the faults of all lines are active, each with `at: [0s], for: 1h` unless given otherwise; returns all events.
    pub(crate) async fn run_faults(&self, lines: &[&str], during: impl AsyncFnOnce()) -> Result<(Vec<Recorded>, Outcome), NemesisError> {
        self.run_staged_faults(lines, async || {}, during).await
    }

    /// The same, with `before` run after mounts are in place. Faults with `after_operations: 1` are injected after it.
    pub(crate) async fn run_staged_faults(
        &self,
        lines: &[&str],
        before: impl AsyncFnOnce(),
        during: impl AsyncFnOnce(),
    ) -> Result<(Vec<Recorded>, Outcome), NemesisError> {
        let lines: Vec<Scheduled> = lines
            .iter()
            .map(|line| {
                let when = match line {
                    line if line.contains("for:") => "",
                    line if line.contains("after_operations:") => ", for: 1h",
                    _ => ", at: [0s], for: 1h",
                };
                serde_yaml::from_str(&format!("{{{line}{when}}}")).unwrap_or_else(|error| panic!("{line}: {error}"))
            })
            .collect();
        let store = tempfile::tempdir().unwrap();
        let (ledger, safety) = (Ledger::open(store.path())?, Safety { allow_destructive: true, ..Safety::default() });
        let campaign = FaultSchedule { lines: &lines, safety: &safety, seed: Seed(1), duration: Duration::from_secs(3600) };
        elenchus_nemesis::check(&campaign, &self.cluster)?;
        elenchus_nemesis::prepare(&campaign, &self.cluster).await?;
        let staged = elenchus_nemesis::mount(campaign, &self.cluster, &ledger).await?;
        let said: Mutex<Vec<Recorded>> = Mutex::default();
        let (count, counted) = watch::channel(0);
        let record = |kind: Kind, _: Symbol, event: FaultEvent, error: Option<String>| {
            said.lock().unwrap().push((event.phase, kind, error));
            if kind != Kind::Invoke {
                count.send_modify(|count| *count += 1);
            }
        };
        let (stop, stopped) = watch::channel(false);
        let operations = AtomicU64::new(0);
        let looking = async {
            before().await;
            operations.store(1, Ordering::Relaxed);
            let mut counted = counted;
            counted.wait_for(|count| *count >= lines.len()).await.unwrap();
            during().await;
            stop.send(true).unwrap();
        };
        let count = || operations.load(Ordering::Relaxed);
        let run = elenchus_nemesis::run(&self.cluster, campaign, &ledger, &record, &count, stopped);
        let (outcome, ()) = staged.during(async { tokio::join!(run, looking) }).await;
        staged.end().await?;
        let said = said.into_inner().unwrap();
        assert!(ledger.outstanding().is_empty(), "{said:?}");
        Ok((said, outcome?))
    }

    /// Waits until every server answers.
    pub(crate) async fn await_servers(&self) {
        join_all((1..=3).map(|node| async move {
            for _ in 0..200 {
                if self.probe(node, "tcp", node, 7000).await == "ok" {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }))
        .await;
    }

    /// Fails unless all traces of faults are gone and the nodes reach each other.
    pub(crate) async fn assert_clean(&self) {
        self.await_servers().await;
        let mut traces = self.traces().await;
        // Processes and dead man's switches that are ending may still be visible.
        for _ in 0..20 {
            if traces == self.clean {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            traces = self.traces().await;
        }
        assert_eq!(traces, self.clean);
        let links = [(1, 2), (2, 3), (3, 1)];
        let results = join_all(links.map(|(from, to)| self.probe(from, "tcp", to, 7000))).await;
        assert_eq!(results, ["ok"; 3], "n1 to n2, n2 to n3, n3 to n1");
    }

    /// The logs of the dead man's switches and the processes of all nodes, for failures that are hard to reproduce.
    pub(crate) async fn diagnostics(&self) -> String {
        let look = "for log in $(find /run /var/log /tmp -name probe.log); do echo $log; tail -n 30 $log; done; find /run/elenchus -type f -printf '%T+ %p\\n' | sort; cat /run/elenchus/probe.pid; head -c 500 /run/elenchus/lapsed/* /run/elenchus/faults/*/undo 2>&1; cat /run/elenchus/lease /proc/uptime; \
                    for pid in /proc/[0-9]*; do echo \"${pid#/proc/} $(cut -d' ' -f3,4,6 $pid/stat) $(tr '\\0' ' ' <$pid/cmdline | head -c 150 | tr '\\n' ' ')\"; done 2>/dev/null; true";
        let mut said = String::new();
        for node in 1..=3 {
            said += &format!("\n=== n{node}\n{}", self.on(node, look).await);
        }
        said
    }

    /// Everything on the nodes that faults change. `uuid=on` appears when an overlay is mounted for the second time.
    pub(crate) async fn traces(&self) -> Vec<String> {
        let look = "for t in iptables ip6tables; do for table in filter raw nat; do $t -t $table -S 2>/dev/null; done; done; nft list tables 2>/dev/null | grep elenchus; ip rule; \
                    tc qdisc show dev eth0 2>/dev/null; sed 's/,uuid=on//' /proc/mounts | sort | grep -v ' /tmp '; \
                    readlink /etc/localtime; cat /etc/timezone 2>/dev/null; date +%z; ls -d /etc/*.elenchus /var/lib/elenchus/timezone* 2>/dev/null; \
                    ls -d /run/elenchus/clocks/[0-9]* /run/elenchus/disks/%* /var/tmp/disk 2>/dev/null; awk '{ print \"queue\", $1 }' /proc/net/netfilter/nfnetlink_queue 2>/dev/null; \
                    case $(/opt/elenchus-probe probe ahead 127.0.0.1) in -[0-9]??*|[0-9]??*) echo its clock is wrong;; esac; \
                    find /run/elenchus/faults /run/elenchus/jobs /run/elenchus/descriptors-* /mnt/small /tmp/mark /var/tmp/elenchus-* /run/elenchus/cgroup* ! -type d 2>/dev/null; \
                    grep -h elenchus /proc/[0-9]*/cgroup 2>/dev/null; \
                    cat /var/tmp/data/file 2>/dev/null; \
                    for pid in $(pgrep -f 'elenchus-probe probe serv[e]'); do \
                    cut -d' ' -f3 /proc/$pid/stat | tr RD SS; grep 'open files' /proc/$pid/limits; done 2>/dev/null; true";
        join_all((1..=3).map(|node| self.on(node, look))).await
    }
}

/// A cluster of these nodes with the server, the first and the last node in a zone each.
pub(crate) fn cluster(nodes: Vec<Node>) -> Cluster {
    cluster_with(nodes, SYSTEM)
}

fn cluster_with(nodes: Vec<Node>, system: &str) -> Cluster {
    let definition: Definition = serde_yaml::from_str(system).unwrap();
    let places: Vec<(String, String)> = nodes.iter().map(|node| (node.name.clone(), node.address.clone())).collect();
    let system = System::new(definition, &BTreeMap::new(), Path::new("/"), &places).unwrap();
    let names = nodes.iter().map(|node| node.name.clone()).collect();
    let zones = BTreeMap::from([("east".to_owned(), vec!["n1".to_owned()]), ("west".to_owned(), vec!["n3".to_owned()])]);
    Cluster::new(nodes, Some(system)).with_roster(Roster::new(names, &zones).unwrap())
}
