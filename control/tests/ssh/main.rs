//! The SSH client against OpenSSH and the lab's own server. Behaviour that both have is tested on both.

mod servers;

use std::path::PathBuf;
use std::time::Duration;

use elenchus_control::config::{HostKeyPolicy, Key, Secret};
use elenchus_control::{Command, ControlError, Exit, Host};
use servers::{Server, each_server, openssh};

#[tokio::test(flavor = "multi_thread")]
async fn commands_give_output_errors_and_status() {
    each_server(async |server: &Server| {
        let host = server.host();
        let output = host.output(Command::sh("echo out; echo err >&2; exit 7")).await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
        assert_eq!(output.status, Exit::Code(7));
        let killed = host.output(Command::sh("kill -KILL $$")).await.unwrap();
        assert_eq!(killed.status, Exit::Signal("KILL".into()));
        let echoed = host.run(Command::new("cat").stdin("fed\0\u{ff}")).await.unwrap();
        assert_eq!(echoed.stdout, "fed\0\u{ff}".as_bytes());
        let words = ["", "a b", "$HOME", "`id`", "'", "\"", "\\", "\n", "*", "; reboot", "é"];
        let printed = host.run(Command::new("printf").arg("%s|").args(words)).await.unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), words.map(|word| format!("{word}|")).concat());
        let failed = host.run(Command::sh("echo why >&2; exit 3")).await.unwrap_err().to_string();
        assert_eq!(failed, "here: `echo why >&2; exit 3` ended with exit status 3: why");
        let placed = host.run(Command::sh("echo $A; pwd").env("A", "x y").dir("/")).await.unwrap();
        assert_eq!(placed.stdout_text(), "x y\n/");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_commands_share_one_connection() {
    each_server(async |server: &Server| {
        let host = server.host();
        let running: Vec<_> = (0..50)
            .map(|number| {
                let host = host.clone();
                tokio::spawn(async move { host.run(Command::sh(&format!("sleep 0.05; echo {number}"))).await.unwrap().stdout_text() })
            })
            .collect();
        for (number, run) in running.into_iter().enumerate() {
            assert_eq!(run.await.unwrap(), number.to_string());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_copied_unchanged() {
    each_server(async |server: &Server| {
        let host = server.host();
        let dir = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..20_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let (local, remote, back) = (dir.path().join("a"), dir.path().join("deep/b c"), dir.path().join("c"));
        std::fs::write(&local, &content).unwrap();
        let mut last = (0, 0);
        host.upload(&local, remote.to_str().unwrap(), 0o640, |done, all| last = (done, all)).await.unwrap();
        assert_eq!(last, (20_000_000, 20_000_000));
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&remote).unwrap().permissions()) & 0o777, 0o640);
        host.download(remote.to_str().unwrap(), &back, |_, _| {}).await.unwrap();
        assert!(std::fs::read(&back).unwrap() == content, "the downloaded content equals the uploaded one");
        let missing = host.read("/no/such/file").await.unwrap_err().to_string();
        assert!(missing.contains("here: cannot copy /no/such/file"), "{missing}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_outlives_its_command() {
    each_server(async |server: &Server| {
        let host = server.host();
        let script = "setsid sh -c 'sleep 30' >/dev/null 2>&1 </dev/null & echo $!";
        let pid = host.run(Command::sh(script)).await.unwrap().stdout_text();
        host.close().await;
        host.run(Command::new("kill").args(["-0", &pid])).await.unwrap();
        host.run(Command::new("kill").arg(&pid)).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_exceeds_its_timeout_is_reported() {
    each_server(async |server: &Server| {
        let host = server.host();
        let error = host.run(Command::sh("sleep 20").timeout(Duration::from_millis(300))).await.unwrap_err();
        assert_eq!(error.to_string(), "here: `sleep 20` took longer than 300ms");
        host.run(Command::new("true")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_reported_and_replaced() {
    let Some(server) = openssh() else { return };
    let host = server.host();
    // The parent of the command's shell is sshd's process for this connection.
    let error = host.run(Command::sh("kill -KILL $PPID; sleep 5")).await.unwrap_err();
    assert!(matches!(error, ControlError::ConnectionLost { .. }), "{error}");
    assert!(error.to_string().ends_with("whether it took effect is unknown"));
    host.run(Command::new("true")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_reconnected() {
    let Some(mut server) = openssh() else { return };
    let host = server.host();
    host.run(Command::new("true")).await.unwrap();
    server.stop();
    let gone = host.run(Command::new("true")).await.unwrap_err();
    assert!(matches!(gone, ControlError::Connect { .. }), "{gone}");
    server.start();
    host.run(Command::new("true")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_refused_with_advice() {
    each_server(async |server: &Server| {
        let mut config = server.config();
        config.auth.key = Some(Key::Text(Secret::new(elenchus_control::sshd::generate_key().unwrap().private_openssh)));
        let error = Host::new("here", config.clone()).run(Command::new("true")).await.unwrap_err().to_string();
        assert_eq!(error, "here: user `root` was refused: tried the given key; is the public key in its ~/.ssh/authorized_keys?");
        config.auth.key = Some(Key::File(PathBuf::from("/no/key")));
        let error = Host::new("here", config).run(Command::new("true")).await.unwrap_err().to_string();
        assert!(error.contains("cannot use key /no/key"), "{error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn host_keys_are_checked() {
    each_server(async |server: &Server| {
        let dir = tempfile::tempdir().unwrap();
        let known = dir.path().join("known_hosts");
        let mut config = server.config();
        config.host_key = HostKeyPolicy::Strict { known_hosts: vec![known.clone()] };
        let unknown = Host::new("here", config.clone()).run(Command::new("true")).await.unwrap_err().to_string();
        assert!(unknown.contains("is not known; add it with `ssh-keyscan"), "{unknown}");
        config.host_key = HostKeyPolicy::AcceptNew { known_hosts: vec![known.clone()] };
        Host::new("here", config.clone()).run(Command::new("true")).await.unwrap();
        config.host_key = HostKeyPolicy::Strict { known_hosts: vec![known.clone()] };
        Host::new("here", config.clone()).run(Command::new("true")).await.unwrap();
        let other = elenchus_control::sshd::generate_key().unwrap().public_openssh;
        std::fs::write(&known, format!("[127.0.0.1]:{} {other}\n", config.port)).unwrap();
        for policy in
            [HostKeyPolicy::Strict { known_hosts: vec![known.clone()] }, HostKeyPolicy::AcceptNew { known_hosts: vec![known.clone()] }]
        {
            config.host_key = policy;
            let changed = Host::new("here", config.clone()).run(Command::new("true")).await.unwrap_err();
            assert!(matches!(changed, ControlError::HostKey { .. }) && changed.to_string().contains("CHANGED"), "{changed}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_host_forwards_the_connection() {
    each_server(async |server: &Server| {
        let mut config = server.config();
        config.jump = Some(Box::new(server.config()));
        let host = Host::new("here", config);
        assert_eq!(host.run(Command::sh("echo there")).await.unwrap().stdout_text(), "there");
    })
    .await;
}
