//! The lab, from the outside: what is in it, and that nothing of it stays.
//!
//! Its own `main`, because the lab starts this program again inside its namespaces.

use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use elenchus_control::lab::{self, Entered, LabOptions, NodeSshd};
use elenchus_control::{Command, Host};

fn main() {
    lab::main_hook();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("inside") => inside(words[1].as_str()),
        // The test harness' own flags, like `--list`, ask for what is not here.
        Some(flag) if flag.starts_with("--list") => {}
        _ => outside(),
    }
}

fn outside() {
    let before = Traces::take();
    run("embedded", None);
    if nix::unistd::geteuid().is_root() {
        if std::path::Path::new("/usr/sbin/sshd").exists() {
            run("openssh", None);
        } else {
            println!("skipped: OpenSSH's server is not installed (package openssh-server)");
        }
        run("embedded", Some(65534));
    }
    killed_in_the_middle();
    // The kernel tears namespaces down in the background.
    let deadline = Instant::now() + Duration::from_secs(10);
    while Traces::take() != before && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(Traces::take(), before, "a lab leaves nothing behind");
    println!("lab: all is well");
}

fn this(words: &[&str], user: Option<u32>) -> Process {
    let program = std::env::current_exe().unwrap();
    let mut process = match user {
        None => Process::new(program),
        Some(id) => {
            // Where another user may run it.
            let copy = std::env::temp_dir().join(format!("elenchus-lab-test-{}", std::process::id()));
            std::fs::copy(program, &copy).unwrap();
            let mut process = Process::new("setpriv");
            process.args(["--reuid", &id.to_string(), "--regid", &id.to_string(), "--clear-groups"]).arg(copy);
            process
        }
    };
    process.args(words).current_dir("/");
    process
}

fn run(kind: &str, user: Option<u32>) {
    for round in 0..3 {
        let began = Instant::now();
        let status = this(&["inside", kind], user).status().unwrap();
        assert_eq!(status.code(), Some(42), "{kind} as {user:?}, round {round}: the exit status comes from inside");
        println!("{kind} as {}: in and out in {:?}", user.map_or("oneself".into(), |id| id.to_string()), began.elapsed());
    }
    if user.is_some() {
        let _ = std::fs::remove_file(std::env::temp_dir().join(format!("elenchus-lab-test-{}", std::process::id())));
    }
}

fn killed_in_the_middle() {
    use std::io::BufRead;
    let mut child = this(&["inside", "wait"], None).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let up = lines.by_ref().map_while(Result::ok).any(|line| line == "waiting");
    assert!(up, "the lab came up");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lines.map_while(Result::ok).count(), 0, "all that wrote to this pipe is gone");
}

fn inside(kind: &str) {
    let began = Instant::now();
    let net = match lab::enter() {
        Ok(Entered::Outer(status)) => std::process::exit(status),
        Ok(Entered::Inner(net)) => net,
        Err(error) => {
            println!("skipped: {error}");
            std::process::exit(42);
        }
    };
    let sshd = if kind == "openssh" { NodeSshd::OpenSsh } else { NodeSshd::Embedded };
    let lab = net.start(&LabOptions { nodes: 5, sshd }).unwrap();
    println!("five nodes up after {:?}", began.elapsed());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let hosts: Vec<Host> = lab.nodes.iter().map(|node| Host::new(&node.name, node.host.clone())).collect();
        if kind == "wait" {
            hosts[0].run(Command::sh("setsid sleep 1000 >/dev/null 2>&1 &")).await.unwrap();
            println!("waiting");
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        for host in &hosts {
            examine(host).await;
        }
        if kind == "openssh" {
            let mut config = lab.nodes[0].host.clone();
            config.user = "elenchus".into();
            config.sudo = elenchus_control::config::Sudo::Passwordless;
            let host = Host::new("n1", config);
            assert_eq!(host.run(Command::new("whoami").sudo(false)).await.unwrap().stdout_text(), "elenchus");
            if std::path::Path::new("/usr/bin/sudo").exists() {
                assert_eq!(host.run(Command::new("whoami")).await.unwrap().stdout_text(), "root");
                host.write(b"secret", "/root/secret", 0o600).await.unwrap();
                assert_eq!(host.read("/root/secret").await.unwrap(), b"secret");
            } else {
                println!("skipped: sudo is not installed");
            }
        }
        separate(&hosts).await;
    });
    drop(lab);
    std::process::exit(42);
}

async fn examine(host: &Host) {
    let text = async |script: &str| host.run(Command::sh(script)).await.unwrap().stdout_text();
    assert_eq!(text("hostname; cat /etc/hostname").await, format!("{0}\n{0}", host.name()));
    assert_eq!(text("id -u").await, "0");
    assert_eq!(text("ls /sys/class/net").await, "eth0\nlo", "a node sees its own links only");
    let processes: u32 = text("ls /proc | grep -c '^[0-9]'").await.parse().unwrap();
    assert!(processes < 15, "a node sees its own processes only, not {processes}");
    text(&format!("echo {} > /var/tmp/mark; echo x > /etc/mark; touch /root/mark /opt/mark", host.name())).await;
    assert_eq!(text("cat /var/tmp/mark").await, host.name());
}

async fn separate(hosts: &[Host]) {
    for host in hosts {
        assert_eq!(host.run(Command::sh("cat /var/tmp/mark")).await.unwrap().stdout_text(), host.name(), "nodes share no files");
    }
    assert!(!std::path::Path::new("/var/tmp/mark").exists() && !std::path::Path::new("/etc/mark").exists(), "nor does the host");
    let to_other = Command::sh("exec 3<>/dev/tcp/n2/22 && head -c 4 <&3");
    let greeting = |command: Command| hosts[0].output(Command::new("bash").arg("-c").arg(command.render()).timeout(Duration::from_secs(5)));
    assert_eq!(greeting(to_other.clone()).await.unwrap().stdout, b"SSH-", "nodes reach each other by name");
    if hosts[1].output(Command::sh("command -v iptables")).await.unwrap().status.is_success() {
        hosts[1].run(Command::sh("iptables -w -A INPUT -s 10.77.0.1 -j REJECT --reject-with tcp-reset -p tcp")).await.unwrap();
        assert_ne!(greeting(to_other.clone()).await.unwrap().stdout, b"SSH-", "a node's firewall is its own");
        hosts[1].run(Command::sh("iptables -w -F INPUT")).await.unwrap();
        assert_eq!(greeting(to_other).await.unwrap().stdout, b"SSH-");
    } else {
        println!("skipped: iptables is not installed");
    }
}

/// What of labs can be seen on this machine.
#[derive(Debug, PartialEq)]
struct Traces {
    links: Vec<String>,
    mounts: usize,
    network_namespaces: usize,
}

impl Traces {
    fn take() -> Traces {
        let mut links: Vec<String> =
            std::fs::read_dir("/sys/class/net").unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        links.sort();
        let namespaces: std::collections::BTreeSet<_> =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| std::fs::read_link(entry.unwrap().path().join("ns/net")).ok()).collect();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap().lines().count();
        Traces { links, mounts, network_namespaces: namespaces.len() }
    }
}
