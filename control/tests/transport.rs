//! `Host` over a transport that is not SSH: the shell of this machine.

use std::sync::Arc;
use std::time::Duration;

use elenchus_control::config::{HostConfig, Sudo};
use elenchus_control::transport::{BoxFuture, Exec, Progress, Sink, Source};
use elenchus_control::{Command, ControlError, Exit, Host, Output, Transport};
use tokio::io::AsyncWriteExt;

struct LocalShell;

fn copy_error(file: &str, error: std::io::Error) -> ControlError {
    ControlError::Copy { host: "here".to_owned(), file: file.to_owned(), reason: error.to_string() }
}

impl Transport for LocalShell {
    fn exec<'a>(&'a self, exec: Exec<'a>) -> BoxFuture<'a, Result<Output, ControlError>> {
        Box::pin(async move {
            let lost = |_| ControlError::ConnectionLost { host: "here".to_owned(), command: exec.label.to_owned() };
            let mut shell = tokio::process::Command::new("/bin/sh");
            shell.args(["-c", exec.line]).kill_on_drop(true);
            shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            let mut child = shell.spawn().map_err(lost)?;
            child.stdin.take().expect("stdin is piped").write_all(exec.stdin).await.map_err(lost)?;
            let ended = tokio::time::timeout(exec.timeout, child.wait_with_output()).await;
            let timeout = |_| ControlError::Timeout { host: "here".to_owned(), command: exec.label.to_owned(), limit: exec.timeout };
            let output = ended.map_err(timeout)?.map_err(lost)?;
            let status = Exit::Code(output.status.code().unwrap_or(255) as u32);
            Ok(Output { stdout: output.stdout, stderr: output.stderr, status })
        })
    }

    fn upload<'a>(&'a self, source: Source<'a>, path: &'a str, progress: Progress<'a>) -> BoxFuture<'a, Result<(), ControlError>> {
        Box::pin(async move {
            let mut file = tokio::fs::File::create(path).await.map_err(|error| copy_error(path, error))?;
            let done = tokio::io::copy(source, &mut file).await.map_err(|error| copy_error(path, error))?;
            progress(done, None);
            file.flush().await.map_err(|error| copy_error(path, error))
        })
    }

    fn download<'a>(&'a self, path: &'a str, sink: Sink<'a>, progress: Progress<'a>) -> BoxFuture<'a, Result<(), ControlError>> {
        Box::pin(async move {
            let mut file = tokio::fs::File::open(path).await.map_err(|error| copy_error(path, error))?;
            let done = tokio::io::copy(&mut file, sink).await.map_err(|error| copy_error(path, error))?;
            progress(done, Some(done));
            Ok(())
        })
    }

    fn reconnect(&self, _: Duration) -> BoxFuture<'_, Result<(), ControlError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

fn host() -> Host {
    let config = HostConfig { sudo: Sudo::None, ..HostConfig::new("127.0.0.1") };
    Host::with_transport("here", config, Arc::new(LocalShell))
}

#[tokio::test]
async fn commands_run_over_any_transport() {
    let host = host();
    let output = host.run(Command::sh("cat; pwd").stdin("fed\n").dir("/")).await.unwrap();
    assert_eq!(output.stdout, b"fed\n/\n");
    let failed = host.run(Command::sh("echo why >&2; exit 3")).await.unwrap_err().to_string();
    assert_eq!(failed, "here: `echo why >&2; exit 3` ended with exit status 3: why");
    let late = host.run(Command::sh("sleep 20").timeout(Duration::from_millis(50))).await.unwrap_err().to_string();
    assert_eq!(late, "here: `sleep 20` took longer than 50ms");
}

#[tokio::test]
async fn files_are_replaced_over_any_transport() {
    let (host, dir) = (host(), tempfile::tempdir().unwrap());
    let path = dir.path().join("deep/a b").display().to_string();
    host.write(b"old", &path, 0o644).await.unwrap();
    host.write(b"new", &path, 0o600).await.unwrap();
    assert_eq!(host.read(&path).await.unwrap(), b"new");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
    let missing = host.read("/no/such/file").await.unwrap_err().to_string();
    assert!(missing.starts_with("here: cannot copy /no/such/file: "), "{missing}");
}
