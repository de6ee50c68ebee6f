//! Logging in to OpenSSH and becoming root, on a lab node whose users and sudo can be changed freely.

use std::path::Path;
use std::process::{Command as Process, Stdio};

use elenchus_control::config::{Auth, HostConfig, Key, Secret, Sudo};
use elenchus_control::{Command, Host};

/// The ordinary user of every lab node.
const USER: &str = "elenchus";

const PASSWORD: &str = "correct horse 'battery' $taple";

/// The port of a second SSH server on the node, which accepts passwords.
const PORT: u16 = 2222;

/// Tests all ways to log in to a node; `root` is the configuration for root.
pub(super) async fn check(root: &HostConfig) {
    let user = HostConfig { user: USER.to_owned(), ..root.clone() };
    assert_eq!(whoami(&user, false).await.unwrap(), USER);
    by_agent(&user).await;
    by_password(root, &user).await;
    if Path::new("/usr/bin/sudo").exists() {
        as_root(root, &user).await;
    } else {
        println!("skipped: sudo is not installed (package sudo)");
    }
}

async fn whoami(config: &HostConfig, privileged: bool) -> Result<String, String> {
    let output = Host::new("n1", config.clone()).run(Command::new("whoami").sudo(privileged)).await;
    output.map(|output| output.stdout_text()).map_err(|error| error.to_string())
}

async fn by_password(root: &HostConfig, user: &HostConfig) {
    let node = Host::new("n1", root.clone());
    node.run(Command::new("chpasswd").stdin(format!("{USER}:{PASSWORD}\n"))).await.unwrap();
    let options = ["PasswordAuthentication=yes", "UsePAM=no", "PidFile=none", "HostKey=/etc/ssh/elenchus_host_key"];
    let serve = Command::new("/usr/sbin/sshd").args(["-f", "/dev/null", "-p", &PORT.to_string()]);
    node.run(options.iter().fold(serve, |serve, option| serve.args(["-o", option]))).await.unwrap();
    let auth = |password: &str| Auth { password: Some(Secret::new(password)), ..Auth::default() };
    let with = |password| HostConfig { port: PORT, auth: auth(password), ..user.clone() };
    assert_eq!(whoami(&with(PASSWORD), false).await.unwrap(), USER);
    let refused = whoami(&with("guess"), false).await.unwrap_err();
    assert!(refused.starts_with("n1: user `elenchus` was refused: tried the password"), "{refused}");
    // After a refused key, the password is tried.
    let unknown_key = Key::Text(Secret::new(elenchus_control::sshd::generate_key().unwrap().private_openssh));
    let both = HostConfig { auth: Auth { key: Some(unknown_key), ..auth(PASSWORD) }, ..with(PASSWORD) };
    assert_eq!(whoami(&both, false).await.unwrap(), USER);
}

/// Tests the keys of the SSH agent at `SSH_AUTH_SOCK`, which the outer process sets.
async fn by_agent(user: &HostConfig) {
    let config = HostConfig { auth: Auth { agent: true, ..Auth::default() }, ..user.clone() };
    let refused = whoami(&config, false).await.unwrap_err();
    assert!(refused.contains("the SSH agent (not reachable at SSH_AUTH_SOCK"), "{refused}");
    let Some(Key::Text(key)) = &user.auth.key else { panic!("a lab's key is in memory") };
    let socket = std::env::var("SSH_AUTH_SOCK").unwrap();
    let agent = Process::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::null()).spawn();
    let Ok(mut agent) = agent else {
        println!("skipped: ssh-agent is not installed (package openssh-client)");
        return;
    };
    while !Path::new(&socket).exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let refused = whoami(&config, false).await.unwrap_err();
    assert!(refused.contains("tried the keys of the SSH agent"), "an agent without the key: {refused}");
    let mut add = Process::new("ssh-add").args(["-q", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut add.stdin.take().unwrap(), key.reveal().as_bytes()).unwrap();
    assert!(add.wait().unwrap().success());
    assert_eq!(whoami(&config, false).await.unwrap(), USER);
    agent.kill().unwrap();
    agent.wait().unwrap();
    let _ = std::fs::remove_file(&socket);
}

async fn as_root(root: &HostConfig, user: &HostConfig) {
    let sudo = |sudo| HostConfig { sudo, ..user.clone() };
    let passwordless = Host::new("n1", sudo(Sudo::Passwordless));
    copies_as_root(&passwordless).await;
    let node = Host::new("n1", root.clone());
    node.run(Command::sh("sed -i 's/NOPASSWD://' /etc/sudoers.d/*")).await.unwrap();
    let refused = whoami(&sudo(Sudo::Passwordless), true).await.unwrap_err();
    assert!(refused.contains("a password is required"), "{refused}");
    copies_as_root(&Host::new("n1", sudo(Sudo::Password(Secret::new(PASSWORD))))).await;
    let refused = whoami(&sudo(Sudo::Password(Secret::new("guess"))), true).await.unwrap_err();
    assert!(!refused.contains("guess") && refused.contains("whoami"), "{refused}");
}

/// Tests commands, their input, and files that only root can access.
async fn copies_as_root(host: &Host) {
    assert_eq!(host.run(Command::new("whoami")).await.unwrap().stdout_text(), "root");
    assert_eq!(host.run(Command::new("cat").stdin("fed")).await.unwrap().stdout, b"fed");
    assert_eq!(host.run(Command::sh("exit 3").sudo(true)).await.unwrap_err().to_string(), "n1: `exit 3` ended with exit status 3");
    host.write(b"secret", "/root/secret", 0o600).await.unwrap();
    assert_eq!(host.read("/root/secret").await.unwrap(), b"secret");
}
