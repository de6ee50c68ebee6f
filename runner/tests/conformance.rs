//! Every client of the table against its real server, and every workload of the table against every client that offers what it needs.
//!
//! `clients/tests/conformance.rs` holds the clients against servers that misbehave.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use elenchus_clients::{ALL as CLIENTS, ClientEntry, ClientSpec, TestServer};
use elenchus_core::{
    Client, DataType, Deployment, Endpoint, Failure, Finding, Generator, NodeIndex, RunScope, Seed, Session, Value, Verdict, Worker,
};
use elenchus_runner::conductor::{Conductor, Recorder, RunSetup};
use elenchus_runner::judge;
use elenchus_workloads::generator::{Stagger, TimeLimit};
use elenchus_workloads::{ALL as WORKLOADS, WorkloadSpec};

/// A server that ends with the test.
struct Server {
    process: Option<Child>,
    spec: ClientSpec,
    _data: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts the real server of a client; none, with the reason printed, where it is not installed.
fn start(entry: &ClientEntry) -> Option<Server> {
    let data = tempfile::tempdir().unwrap();
    let TestServer::Command { program, package, command } = entry.test_server else {
        return Some(Server { process: None, spec: (entry.default)(), _data: data });
    };
    let is_installed = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status().unwrap().success();
    if !is_installed {
        println!("skipped: the client `{}` against its real server: `{program}` is not installed (package {package})", entry.name);
        return None;
    }
    let port = free_port();
    let command = command
        .replace("{port}", &port.to_string())
        .replace("{peer_port}", &free_port().to_string())
        .replace("{dir}", data.path().to_str().unwrap())
        .replace("{elenchus}", env!("CARGO_BIN_EXE_elenchus"));
    let process =
        Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let spec = (entry.on_port)(port).unwrap_or_else(|| panic!("the client `{}` has a server, so `on_port` must give a client", entry.name));
    Some(Server { process: Some(process), spec, _data: data })
}

fn deployment() -> Deployment {
    Deployment::to(vec![Endpoint { node: "n1".into(), address: "127.0.0.1".into() }])
}

/// Waits until the server serves, and has the client prepare it.
async fn prepare(client: &dyn Client, deployment: &Deployment, data: &[DataType]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let ready = async || -> Result<(), Failure> {
        client.setup_node(deployment, NodeIndex(0)).await?;
        client.setup(deployment, data).await?;
        let session = Session { deployment: Arc::new(deployment.clone()), node: NodeIndex(0), worker: Worker(0), process: 0 };
        let mut connection = client.connect(&session).await?;
        for offer in client.offers() {
            let read = offer.data.samples(&Value::from("probe")).into_iter().find(|request| request.is_read_only());
            if let Some(read) = read {
                connection.invoke(&read).await?;
            }
        }
        Ok(())
    };
    while let Err(failure) = ready().await {
        assert!(Instant::now() < deadline, "the server does not serve: {failure}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every function that a client offers does to a real server what the data type says: what was written is read.
#[tokio::test(flavor = "multi_thread")]
async fn every_client_speaks_to_its_real_server() {
    for entry in CLIENTS {
        let Some(server) = start(entry) else { continue };
        let (client, deployment) = (server.spec.build(), deployment());
        let offers = client.offers();
        prepare(client.as_ref(), &deployment, &offers.iter().map(|offer| offer.data).collect::<Vec<_>>()).await;
        let session = Session { deployment: Arc::new(deployment.clone()), node: NodeIndex(0), worker: Worker(0), process: 0 };
        let mut connection = client.connect(&session).await.unwrap_or_else(|failure| panic!("{}: {failure}", entry.name));
        for offer in &offers {
            let key = Value::from(format!("conformance-{}", offer.data));
            for request in offer.data.samples(&key).into_iter().filter(|request| offer.covers(request)) {
                match connection.invoke(&request).await {
                    // The client that does nothing refuses every compare-and-set; a real store has the value that was just written.
                    Ok(_) => {}
                    Err(Failure::No) if entry.name == "noop" => {}
                    other => panic!("{}: `{request}`: {other:?}", entry.name),
                }
            }
        }
        connection.close().await;
        client.teardown(&deployment).await.unwrap_or_else(|failure| panic!("{}: teardown: {failure}", entry.name));
        println!("{}: {}", entry.name, offers.iter().map(|offer| offer.data.name()).collect::<Vec<_>>().join(", "));
    }
}

/// Runs a workload against a client for a while, and judges it.
async fn run(workload: &WorkloadSpec, client: Arc<dyn Client>, seed: u64, span: Duration, rate: f64) -> Vec<Finding> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let workload = workload.build().unwrap();
    let conductor = Conductor::new(RunSetup::single(client, deployment(), 8), Recorder::create(file.path(), &["n1".to_owned()]).unwrap());
    let phases = workload.phases(&RunScope::fresh(Seed(seed)));
    let setup = elenchus_workloads::generator::each_until_ok(move || phases.setup).in_order();
    conductor.run(Box::new(setup)).await;
    let paced: Box<dyn Generator> = Box::new(TimeLimit::new(span, Stagger::new(rate, Seed(seed).stream("rate"), phases.main)));
    conductor.run(paced).await;
    if let Some(last) = phases.last {
        conductor.run(last).await;
    }
    assert!(conductor.tally().ok > 0, "no operation succeeded");
    conductor.finish().await.unwrap();
    judge::judge(&elenchus_core::exchange::read(file.path()).unwrap(), &workload.checks()).unwrap()
}

fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap()
}

/// A workload finds nothing wrong with an honest store, whatever the seed, and leaves nothing undecided; a defective store is caught.
#[tokio::test(flavor = "multi_thread")]
async fn every_workload_tells_an_honest_store_from_a_defective_one() {
    let memory = |defect: &str| {
        let spec: ClientSpec = serde_json::from_str(&format!(r#"{{"memory": {{"defect": "{defect}"}}}}"#)).unwrap();
        spec.build()
    };
    let seeds = if std::env::var_os("ELENCHUS_TEST_ALL").is_some() { 200 } else { 10 };
    for entry in WORKLOADS {
        let workload = (entry.default)();
        for seed in 1..=seeds {
            let findings = run(&workload, memory("none"), seed, Duration::from_millis(200), 3000.0).await;
            assert_eq!(verdict(&findings), Verdict::Valid, "{} with an honest store, seed {seed}: {findings:?}", entry.name);
        }
        for defect in ["stale_reads", "lost_writes"] {
            let findings = run(&workload, memory(defect), 1, Duration::from_millis(500), 3000.0).await;
            assert_eq!(verdict(&findings), Verdict::Invalid, "{} with the defect {defect}: {findings:?}", entry.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_workload_runs_on_every_real_server_that_offers_what_it_needs() {
    let mut pairs = BTreeSet::new();
    for client in CLIENTS.iter().filter(|client| client.test_server != TestServer::InProcess) {
        let Some(server) = start(client) else { continue };
        let built = server.spec.build();
        for entry in WORKLOADS {
            let workload = (entry.default)();
            let needs = workload.build().unwrap().needs();
            if !needs.iter().all(|need| need.met_by(&built.offers()).is_ok()) {
                continue;
            }
            prepare(built.as_ref(), &deployment(), &needs.iter().map(|need| need.data).collect::<Vec<_>>()).await;
            let findings = run(&workload, built.clone(), 1, Duration::from_secs(1), 200.0).await;
            assert_eq!(verdict(&findings), Verdict::Valid, "{} on {}: {findings:?}", entry.name, client.name);
            pairs.insert(format!("{} on {}", entry.name, client.name));
        }
    }
    println!("{}", pairs.into_iter().collect::<Vec<_>>().join(", "));
}

#[test]
fn every_row_of_workloads_is_consistent() {
    for entry in WORKLOADS {
        assert!(!entry.about.is_empty() && !entry.about.ends_with('.'), "{}: `about` is a phrase", entry.name);
        let spec = (entry.default)();
        assert_eq!(spec.name(), entry.name);
        assert_eq!(WorkloadSpec::named(entry.name), Some(spec.clone()));
        let workload = spec.build().unwrap_or_else(|why| panic!("{}: the default settings are refused: {why}", entry.name));
        let needs = workload.needs();
        assert!(!needs.is_empty(), "{} needs no client", entry.name);
        for need in &needs {
            let unknown: Vec<_> = need.functions.iter().filter(|function| !need.data.functions().contains(function)).collect();
            assert!(unknown.is_empty(), "{} needs {unknown:?}, which the data type {} does not have", entry.name, need.data);
        }
        let checks = workload.checks();
        assert!(!checks.is_empty(), "{} is not checked", entry.name);
        for check in checks {
            elenchus_checkers::build(&check).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        }
        let offered = CLIENTS.iter().any(|client| needs.iter().all(|need| need.met_by(&(client.default)().build().offers()).is_ok()));
        assert!(offered, "no client offers what {} needs", entry.name);
    }
}

/// The examples of both tables are plans: of a client with any workload that it can serve, of a workload with the store that offers everything.
#[test]
fn every_example_is_a_valid_plan() {
    let resolve = |lines: &str| {
        let text = format!("name: example\nnodes: [a]\ncontrol: none\n{lines}");
        let error = |error: elenchus_runner::plan::PlanError| format!("{lines}: {}", error.render(false));
        elenchus_runner::plan::Plan::parse(&text, "example.yaml", &[]).map_err(error)?.resolve(&|_| None).map(drop).map_err(error)
    };
    for client in CLIENTS {
        let tried = WORKLOADS.iter().map(|workload| resolve(&format!("client: {}\nworkload: {}", client.example, workload.example)));
        let tried: Vec<_> = tried.collect();
        assert!(tried.iter().any(Result::is_ok), "{}: {tried:#?}", client.name);
    }
    for workload in WORKLOADS {
        resolve(&format!("client: memory\nworkload: {}", workload.example)).unwrap();
    }
}
