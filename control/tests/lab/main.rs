//! The lab: its nodes are isolated from the host and from each other, and nothing of it remains after its end.
//!
//! Has its own `main`, because the lab executes this program again inside its namespaces. The last check compares the whole machine before and after, so it fails
//! when another lab starts or ends at the same time, unless it runs in a pid namespace of its own:
//! `unshare -pfmn --mount-proc sh -c 'target/debug/deps/lab-…; exit $?'`.

mod logins;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use elenchus_control::lab::{self, Entered, LabOptions, NodeSshd};
use elenchus_control::{Command, Host};

fn main() {
    lab::main_hook();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("inside") => inside(words[1].as_str()),
        // There are no tests to list.
        Some(flag) if flag.starts_with("--list") => {}
        _ => outside(),
    }
}

/// The number of times a lab is started and ended.
const STARTS: usize = 30;

/// The number of times a lab is killed while it starts, each time 10 ms later.
const KILLS: u64 = 12;

/// The exit status of a test inside a lab that succeeded.
const SUCCESS: i32 = 42;

/// The exit status when no lab can be created.
const SKIPPED: i32 = 77;

fn outside() {
    let before = Traces::take();
    let copy = Copy::of_this_program();
    let users: &[Option<u32>] = if nix::unistd::geteuid().is_root() { &[None, Some(65534)] } else { &[None] };
    for &user in users {
        if !can_enter(&copy, user) {
            continue;
        }
        start_and_end(&copy, "embedded", user, STARTS);
        let began = Instant::now();
        for at in 0..KILLS {
            kill_while_starting(&copy, user, Duration::from_millis(at * 10));
        }
        kill_while_running(&copy, user);
        println!("killed {} times in {:?}", KILLS + 1, began.elapsed());
    }
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: OpenSSH's server needs root");
    } else if !std::path::Path::new("/usr/sbin/sshd").exists() {
        println!("skipped: OpenSSH's server is not installed (package openssh-server)");
    } else {
        start_and_end(&copy, "openssh", None, 2);
        // Refused passwords take seconds, so the logins are tested once.
        start_and_end(&copy, "openssh-logins", None, 1);
    }
    drop(copy);
    // The kernel removes namespaces asynchronously.
    let began = Instant::now();
    let deadline = Instant::now() + Duration::from_secs(20);
    while Traces::take() != before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(Traces::take(), before, "nothing remains of a lab");
    println!("lab: ok; the kernel removed the namespaces within {:?}", began.elapsed());
}

/// A copy of this program that any user can execute.
struct Copy(PathBuf);

impl Copy {
    fn of_this_program() -> Copy {
        let path = std::env::temp_dir().join(format!("elenchus-lab-test-{}", std::process::id()));
        std::fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
        Copy(path)
    }

    fn run(&self, words: &[&str], user: Option<u32>) -> Process {
        let mut process = match user {
            None => Process::new(&self.0),
            Some(id) => {
                let mut process = Process::new("setpriv");
                process.args(["--reuid", &id.to_string(), "--regid", &id.to_string(), "--clear-groups"]).arg(&self.0);
                process
            }
        };
        // No SSH agent listens there until a test starts one.
        process.args(words).current_dir("/").env("SSH_AUTH_SOCK", self.0.with_extension("agent"));
        process
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whether a lab can be created as this user; says so if not.
fn can_enter(copy: &Copy, user: Option<u32>) -> bool {
    match copy.run(&["inside", "nothing"], user).status() {
        Ok(status) if status.code() == Some(SKIPPED) => false,
        Ok(_) => true,
        Err(error) => {
            println!("skipped: cannot run as another user with setpriv (package util-linux): {error}");
            false
        }
    }
}

fn start_and_end(copy: &Copy, kind: &str, user: Option<u32>, times: usize) {
    let began = Instant::now();
    for round in 0..times {
        let status = copy.run(&["inside", kind], user).status().unwrap();
        assert_eq!(status.code(), Some(SUCCESS), "{kind} as {user:?}, round {round}: the exit status is that of the inner process");
    }
    let user = user.map_or("this user".into(), |id| format!("user {id}"));
    println!("{kind} as {user}: started and ended {times} times in {:?}", began.elapsed());
}

fn kill_while_starting(copy: &Copy, user: Option<u32>, after: Duration) {
    let mut child = copy.run(&["inside", "wait"], user).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    std::io::copy(&mut child.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
}

fn kill_while_running(copy: &Copy, user: Option<u32>) {
    use std::io::BufRead;
    let mut child = copy.run(&["inside", "wait"], user).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let up = lines.by_ref().map_while(Result::ok).any(|line| line == "waiting");
    assert!(up, "the lab started");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lines.map_while(Result::ok).count(), 0, "all processes that wrote to this pipe have ended");
}

fn inside(kind: &str) {
    let began = Instant::now();
    let net = match lab::enter() {
        Ok(Entered::Outer(status)) => std::process::exit(status),
        Ok(Entered::Inner(net)) => net,
        Err(error) => {
            println!("skipped: {error}");
            std::process::exit(SKIPPED);
        }
    };
    if kind == "nothing" {
        std::process::exit(SUCCESS);
    }
    let sshd = if kind.starts_with("openssh") { NodeSshd::OpenSsh } else { NodeSshd::Embedded };
    let lab = net.start(&LabOptions { nodes: 5, sshd }).unwrap();
    println!("five nodes started in {:?}", began.elapsed());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let hosts: Vec<Host> = lab.nodes.iter().map(|node| Host::new(&node.name, node.host.clone())).collect();
        if kind == "wait" {
            hosts[0].run(Command::sh("setsid sleep 1000 >/dev/null 2>&1 &")).await.unwrap();
            println!("waiting");
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        futures_util::future::join_all(hosts.iter().map(check_node)).await;
        if kind == "openssh-logins" {
            logins::check(&lab.nodes[0].host).await;
        }
        check_isolation(&hosts).await;
    });
    drop(lab);
    std::process::exit(SUCCESS);
}

async fn check_node(host: &Host) {
    let text = async |script: &str| host.run(Command::sh(script)).await.unwrap().stdout_text();
    assert_eq!(text("hostname; cat /etc/hostname").await, format!("{0}\n{0}", host.name()));
    assert_eq!(text("id -u").await, "0");
    assert_eq!(text("ls /sys/class/net").await, "eth0\nlo", "a node sees its own links only");
    let processes: u32 = text("ls /proc | grep -c '^[0-9]'").await.parse().unwrap();
    assert!(processes < 15, "a node sees its own processes only, not {processes}");
    text(&format!("echo {} > /var/tmp/mark; echo x > /etc/mark; touch /root/mark /opt/mark", host.name())).await;
    assert_eq!(text("cat /var/tmp/mark").await, host.name());
}

async fn check_isolation(hosts: &[Host]) {
    for host in hosts {
        assert_eq!(host.run(Command::sh("cat /var/tmp/mark")).await.unwrap().stdout_text(), host.name(), "nodes share no files");
    }
    assert!(
        !std::path::Path::new("/var/tmp/mark").exists() && !std::path::Path::new("/etc/mark").exists(),
        "the nodes' files are not on the host"
    );
    let to_other = Command::sh("exec 3<>/dev/tcp/n2/22 && head -c 4 <&3");
    let greeting = |command: Command| hosts[0].output(Command::new("bash").arg("-c").arg(command.render()).timeout(Duration::from_secs(5)));
    assert_eq!(greeting(to_other.clone()).await.unwrap().stdout, b"SSH-", "nodes reach each other by name");
    if hosts[1].output(Command::sh("command -v iptables")).await.unwrap().status.is_success() {
        hosts[1].run(Command::sh("iptables -w -A INPUT -s 10.77.0.1 -j REJECT --reject-with tcp-reset -p tcp")).await.unwrap();
        assert_ne!(greeting(to_other.clone()).await.unwrap().stdout, b"SSH-", "a node's firewall is its own");
        hosts[1].run(Command::sh("iptables -w -F INPUT")).await.unwrap();
        assert_eq!(greeting(to_other).await.unwrap().stdout, b"SSH-");
    } else {
        println!("skipped: iptables is not installed (package iptables)");
    }
}

/// Everything on this machine that a lab could leave behind.
#[derive(Debug, PartialEq)]
struct Traces {
    links: Vec<String>,
    mounts: usize,
    namespaces: BTreeMap<&'static str, usize>,
    processes: Vec<String>,
    files: Vec<PathBuf>,
}

impl Traces {
    fn take() -> Traces {
        let names = |dir: &str| {
            let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths
        };
        let processes = names("/proc");
        let distinct = |kind: &'static str| {
            let links = processes.iter().filter_map(|process| std::fs::read_link(process.join("ns").join(kind)).ok());
            (kind, links.collect::<BTreeSet<_>>().len())
        };
        let commands = processes.iter().filter_map(|process| std::fs::read(process.join("cmdline")).ok());
        let commands = commands.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
        Traces {
            links: names("/sys/class/net").iter().map(|path| path.display().to_string()).collect(),
            mounts: std::fs::read_to_string("/proc/self/mounts").unwrap().lines().count(),
            namespaces: ["net", "pid", "mnt", "uts", "ipc", "user"].map(distinct).into(),
            processes: commands.filter(|line| line.contains("elenchus-lab-test") || line.contains("sleep 1000")).collect(),
            files: {
                let files = ["/tmp", "/run", "/var/tmp"].map(names).concat();
                files.into_iter().filter(|path| path.to_string_lossy().contains("elenchus")).collect()
            },
        }
    }
}
