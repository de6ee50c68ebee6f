//! The control node is killed, and the nodes heal themselves.

use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process};
use std::time::{Duration, Instant};

use elenchus_control::config::{HostConfig, HostKeyPolicy, Key, Secret};
use elenchus_control::system::Node;
use elenchus_control::{Command, Host};
use elenchus_core::{Rng, Seed};
use elenchus_nemesis::{FaultSchedule, Healing, Ledger, Safety, Scheduled};
use futures_util::future::join_all;
use serde_json::{Value as Json, json};

use crate::machines::OFF;
use crate::sample::is_all;
use crate::scene::{Scene, cluster};

/// The faults that are active or due when the control node is killed.
const LINES: &[&str] = &[
    "{partition: {shape: one-node}, every: 3s, for: 2s}",
    "{partition: {shape: halves, by: reset, ports: [7000]}, every: 3s, for: 2s}",
    "{isolate: {targets: one}, every: 4s, for: 2s}",
    "{dns: {targets: all}, every: 3s, for: 2s}",
    "{loss: {targets: all}, every: 3s, for: 2s}",
    "{link: {targets: minority, rate: 1mbit}, every: 4s, for: 2s}",
    "{link: {targets: one, delay: 20ms, jitter: 5ms, loss: 0.1}, every: 4s, for: 2s}",
    "{proxy: {targets: one, port: 7001, from: all}, every: 4s, for: 2s}",
    "{kill: {targets: one}, every: 3s, for: 1s}",
    "{crash_loop: {targets: one, lives: 500ms}, every: 5s, for: 2s}",
    "{restart: {targets: one}, every: 5s, for: 1s}",
    "{rolling: {}, every: 9s, for: 6s}",
    "{cpu: {targets: one, workers: 1}, every: 4s, for: 1s}",
    "{memory: {targets: one, mib: 8}, every: 4s, for: 1s}",
    "{descriptors: {targets: one}, every: 4s, for: 2s}",
    "{fill_disk: {targets: one, path: /mnt/small}, every: 4s, for: 2s}",
    "{sever: {targets: one}, every: 3s, for: 1s}",
    "{scenario: {flapping-link: {cut: 300ms, whole: 300ms}}, every: 4s, for: 2s}",
    "{scenario: {slow-start: {cut: 300ms, step: 300ms, steps: 2, whole: 300ms}}, every: 4s, for: 2s}",
    "{scenario: {late-wakers: {asleep: 1s}}, every: 5s, for: 2s}",
    "{scenario: {flaky-network: {cut: 200ms, whole: 500ms}}, every: 4s, for: 2s}",
    "{scenario: {rolling-pause: {asleep: 300ms, awake: 200ms}}, every: 5s, for: 2s}",
    "{scenario: {swizzle: {step: 200ms}}, every: 5s, for: 2s}",
    "{rollback: {targets: one, path: /var/tmp/moving, age: 1s, restore: true}, every: 6s, for: 1s}",
    "{damage: {targets: one, files: '/var/tmp/data/*', restore: true}, every: 6s, for: 2s}",
    "{power_failure: {targets: one, directory: /var/tmp/disk, torn: 512}, every: 4s, for: 1s}",
    "{disk: {targets: all, directory: /var/tmp/disk, how: {delay: 1ms}}, every: 4s, for: 2s}",
    "{disk_flips: {targets: one, directory: /var/tmp/disk}, every: 4s, for: 2s}",
    "{pause: {targets: minority}, every: 3s, for: 2s}",
    "{clock: {targets: all, how: {bump: -1h}}, every: 4s, for: 3s}",
    "{timezone: {targets: one}, every: 4s, for: 2s}",
    "{pause: {targets: one, how: freezer}, every: 4s, for: 2s}",
    "{throttle: {targets: one, cpus: 0.2}, every: 4s, for: 2s}",
    "{oom: {targets: one}, every: 4s, for: 2s}",
    "{pids: {targets: one, limit: 100}, every: 4s, for: 2s}",
    "{shell: {inject: 'touch /tmp/mark', verify: 'test -e /tmp/mark', heal: 'rm -f /tmp/mark', verify_healed: '! test -e /tmp/mark'}, every: 2s, for: 1s}",
];

/// Also, where a disk can be created.
const IO: &str = "{io: {targets: one, path: /mnt/disk, write_kib: 256}, every: 4s, for: 2s}";

const LEASE: &str = "5s";

/// How long nodes may make no progress with healing. On a loaded machine healing takes long, one fault after the other.
const GRACE: Duration = Duration::from_secs(60);

/// The number of rounds, unless `ELENCHUS_CASES` gives another: of a sample, and of all tests.
const ROUNDS: u64 = 1;
const ALL_ROUNDS: u64 = 3;

pub(crate) async fn nodes_heal_themselves_when_the_control_node_is_killed(scene: &Scene) {
    let times =
        std::env::var("ELENCHUS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(if is_all() { ALL_ROUNDS } else { ROUNDS });
    // The seed is the time, since process ids are the same in every lab; ELENCHUS_SEED repeats a failure.
    let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let seed = std::env::var("ELENCHUS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(clock);
    let mut rng = Seed(seed).stream("kills");
    let (mut interrupted, mut slowest) = (0, Duration::ZERO);
    let mut has_disks = true;
    for node in 1..=3 {
        scene
            .on(node, "mkdir -p /mnt/small /var/tmp/data && mount -t tmpfs -o size=8m tmpfs /mnt/small && echo whole >/var/tmp/data/file")
            .await;
        // The directory of `rollback` must change.
        scene
            .on(node, "mkdir -p /var/tmp/moving && setsid sh -c 'while :; do date +%s%N >/var/tmp/moving/now; sleep 0.2; done' </dev/null >/dev/null 2>&1 &")
            .await;
        has_disks &= scene.cluster.nodes[node - 1].host.output(Command::sh(crate::resources::DISK)).await.unwrap().status.is_success();
    }
    if !has_disks {
        println!("  skipped: `io`: no disk can be created on the nodes");
    }
    let whole = all_traces(scene).await;
    for round in 0..times {
        let store = tempfile::tempdir().unwrap();
        write_nodes(scene, store.path());
        let mut control = start(store.path(), seed + round, if has_disks { "disks" } else { "no-disks" });
        let killed = kill_at_random(store.path(), &mut control, &mut rng).await;
        interrupted += u32::from(all_traces(scene).await != whole);
        slowest = slowest.max(await_self_healing(scene, &whole, &format!("seed {seed}, round {round}, killed after {killed:?}")).await);
        // Afterwards the ledger is worked off without harm.
        let ledger = Ledger::open(store.path()).unwrap();
        let outstanding = ledger.outstanding().len();
        let healed = elenchus_nemesis::heal_outstanding(&scene.cluster.nodes, &ledger).await;
        assert_eq!((healed.healed.len(), ledger.outstanding().len()), (outstanding, 0), "{healed:?}");
        await_self_healing(scene, &whole, "after the ledger was worked off").await;
        scene.await_servers().await;
        let again = elenchus_nemesis::heal_outstanding(&scene.cluster.nodes, &ledger).await;
        assert_eq!(again, Healing::default(), "healing is idempotent");
    }
    for node in 1..=3 {
        scene.on(node, "pkill -f 'date +%s%N >/var/tmp/movin[g]'; umount /mnt/small /mnt/disk; rm -rf /mnt/small /mnt/disk /tmp/image /var/tmp/data /var/tmp/moving; true").await;
    }
    println!("  killed {times} times, {interrupted} of them with faults in force; all was healed within {slowest:.1?} of it");
}

/// All traces of faults on each node, and its processes and files.
async fn all_traces(scene: &Scene) -> Vec<String> {
    let look = "for pid in /proc/[0-9]*; do tr '\\0' ' ' <$pid/cmdline | head -c 100; echo; done 2>/dev/null | \
                grep -vE '^$|^(tr|head|sort|grep|sleep|date) |^sh -c for pid in|/proc/.[0-9]' | sort -u; \
                read -r lab </run/elenchus/lab; find /sys/fs/cgroup -type d -name \"elenchus-$lab.*\" 2>/dev/null; tc qdisc show; ls /var/tmp";
    let mut all = scene.traces().await;
    all.extend(join_all((1..=3).map(|node| scene.on(node, look))).await);
    all
}

fn start(store: &Path, seed: u64, disks: &str) -> Child {
    let exe = std::env::current_exe().unwrap();
    Process::new(exe).args(["control", &store.to_string_lossy(), &seed.to_string(), disks]).spawn().unwrap()
}

/// The file that the control node creates when all is prepared.
fn ready(store: &Path) -> PathBuf {
    store.join("ready")
}

async fn kill_at_random(store: &Path, child: &mut Child, rng: &mut Rng) -> Duration {
    // One in five times during the preparation.
    if rng.chance(0.2) {
        let after = Duration::from_millis(rng.below(1500));
        tokio::time::sleep(after).await;
        child.kill().unwrap();
        child.wait().unwrap();
        return after;
    }
    while !ready(store).exists() {
        assert!(child.try_wait().unwrap().is_none(), "the control node exited by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let after = Duration::from_millis(500 + rng.below(7000));
    tokio::time::sleep(after).await;
    child.kill().unwrap();
    child.wait().unwrap();
    after
}

/// Waits until the nodes have healed themselves, and returns how long it took.
async fn await_self_healing(scene: &Scene, whole: &[String], what: &str) -> Duration {
    let (began, mut progress, mut before) = (Instant::now(), Instant::now(), Vec::new());
    loop {
        let left = all_traces(scene).await;
        if left == whole {
            return began.elapsed();
        }
        if left != before {
            (progress, before) = (Instant::now(), left);
        } else if progress.elapsed() > LEASE.parse::<elenchus_core::Span>().unwrap().0 + GRACE {
            let (left, why) = (before, scene.diagnostics().await);
            panic!("{what}: found {left:#?}, expected {whole:#?}; {why}");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Writes the nodes' addresses and keys to the store, for another process.
pub(crate) fn write_nodes(scene: &Scene, store: &Path) {
    std::fs::write(store.join("nodes.json"), addresses(scene).to_string()).unwrap();
}

/// The nodes' addresses and keys as JSON.
fn addresses(scene: &Scene) -> Json {
    let nodes = scene.logins.iter().map(|(name, config)| {
        let key = match &config.auth.key {
            Some(Key::Text(key)) => key.reveal().to_owned(),
            other => panic!("expected the text of a key, not {other:?}"),
        };
        let HostKeyPolicy::Pinned(host_key) = &config.host_key else { panic!("expected a pinned host key") };
        json!({"name": name, "address": config.address, "key": key, "host_key": host_key, "power_on": config.power_on})
    });
    nodes.collect()
}

/// The control node: injects faults until it is killed.
pub(crate) fn main(words: &[String]) {
    let (store, seed, lines) = match words {
        [store, seed, off] if off == "off" => (store, seed, OFF.to_vec()),
        [store, seed, disks] if disks == "disks" => (store, seed, [LINES, &[IO]].concat()),
        [store, seed, _] => (store, seed, LINES.to_vec()),
        _ => panic!("expected a store, a seed and a word"),
    };
    let nodes: Vec<Json> = serde_json::from_str(&std::fs::read_to_string(Path::new(store).join("nodes.json")).unwrap()).unwrap();
    let nodes = nodes.iter().map(|node| {
        let text = |key: &str| node[key].as_str().unwrap().to_owned();
        let mut config = HostConfig::new(text("address"));
        config.auth.key = Some(Key::Text(Secret::new(text("key"))));
        config.host_key = HostKeyPolicy::Pinned(text("host_key"));
        config.power_on = node["power_on"].as_str().map(str::to_owned);
        Node { name: text("name"), address: text("address"), host: Host::new(text("name"), config) }
    });
    let cluster = cluster(nodes.collect());
    let lines: Vec<Scheduled> = lines.iter().map(|line| serde_yaml::from_str(line).unwrap()).collect();
    let safety = Safety { lease: LEASE.parse().unwrap(), allow_destructive: true, ..Safety::default() };
    let campaign = FaultSchedule { lines: &lines, safety: &safety, seed: Seed(seed.parse().unwrap()), duration: Duration::from_secs(3600) };
    let ledger = Ledger::open(Path::new(store)).unwrap();
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Uploads the agent; the other requirements are known to be met.
    runtime.block_on(elenchus_nemesis::prepare(&campaign, &cluster)).unwrap();
    let staged = runtime.block_on(elenchus_nemesis::mount(campaign, &cluster, &ledger)).unwrap();
    std::fs::write(ready(Path::new(store)), "").unwrap();
    let run = elenchus_nemesis::run(&cluster, campaign, &ledger, &|_, _, _, _| {}, &|| 0, stopped);
    runtime.block_on(staged.during(run)).unwrap();
}
