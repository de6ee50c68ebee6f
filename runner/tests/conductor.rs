//! The conductor against clients that answer, refuse, hang and lose connections.

use std::sync::Arc;
use std::time::Duration;

use elenchus_core::data::{Register, RegisterRequest, TypedConnection, typed};
use elenchus_core::{
    BoxFuture, Client, Connection, Context, DataType, Deployment, Endpoint, Failure, Generator, History, Invocation, Kind, Offer, Poll,
    Process, Session, Value, exchange,
};
use elenchus_runner::conductor::{Conductor, Recorder, RunSetup};

/// Writes of 0, 1, 2 … under one key, by any free worker.
struct Writes {
    next: i64,
    count: i64,
}

impl Generator for Writes {
    fn poll(&mut self, context: &Context) -> Poll {
        if self.next == self.count {
            Poll::Done
        } else if context.free.is_empty() {
            Poll::Pending
        } else {
            Poll::Ready
        }
    }

    fn take(&mut self, context: &Context) -> Invocation {
        self.next += 1;
        let worker = context.free.first().expect("polled ready");
        Invocation::new(worker, RegisterRequest::Write { key: Value::Nil, value: Value::Int(self.next - 1) })
    }
}

/// Value by value: multiples of 10 fail, of 7 hang, of 3 lose their connection; node n2 refuses connections.
struct Moody;

impl Client for Moody {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer::all(DataType::Register)]
    }

    fn connect<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async move {
            if session.endpoint().node == "n2" {
                return Err(Failure::Info("refused".into()));
            }
            Ok(typed(Moody))
        })
    }
}

impl TypedConnection for Moody {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }
}

impl Register for Moody {
    fn read<'a>(&'a mut self, _: &'a Value) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async { Ok(Value::Nil) })
    }

    fn write<'a>(&'a mut self, _: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        let value = value.as_int().unwrap_or(0);
        Box::pin(async move {
            match value {
                v if v % 10 == 0 => Err(Failure::Fail("no".into())),
                v if v % 7 == 0 => std::future::pending().await,
                v if v % 3 == 0 => Err(Failure::Info("reset".into())),
                _ => Ok(()),
            }
        })
    }

    fn compare_and_set<'a>(&'a mut self, _: &'a Value, _: &'a Value, _: &'a Value) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async { Ok(false) })
    }
}

async fn play(nodes: &[&str], concurrency: usize) -> History {
    let file = tempfile::NamedTempFile::new().unwrap();
    let endpoints = nodes.iter().map(|node| Endpoint { node: (*node).to_owned(), address: "unused".to_owned() }).collect();
    let deployment = Deployment { timeout: Duration::from_millis(20), ..Deployment::to(endpoints) };
    let setup = RunSetup::single(Arc::new(Moody), deployment, concurrency);
    let names: Vec<String> = nodes.iter().map(|node| (*node).to_owned()).collect();
    let conductor = Conductor::new(setup, Recorder::create(file.path(), &names).unwrap());
    conductor.run(Box::new(Writes { next: 0, count: 1000 })).await;
    assert_eq!((conductor.tally().open, conductor.tally().completed()), (0, 1000));
    conductor.finish().await.unwrap();
    exchange::read(file.path()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_recorded_with_what_it_was_told() {
    let history = play(&["n1"], 40).await;
    let operations = history.operations().unwrap();
    assert_eq!(operations.len(), 1000);
    for operation in operations {
        let expected = match operation.input.as_int().unwrap() {
            v if v % 10 == 0 => Kind::Fail,
            v if v % 7 == 0 || v % 3 == 0 => Kind::Info,
            _ => Kind::Ok,
        };
        assert_eq!(operation.kind, expected, "{operation:?}");
    }
    assert!(history.events.windows(2).all(|pair| pair[0].time <= pair[1].time), "events are in the order of their times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_does_not_know_never_speaks_again() {
    let history = play(&["n1"], 7).await;
    let mut silent = std::collections::HashSet::new();
    for event in &history.events {
        assert!(!silent.contains(&event.process), "{event}");
        if event.kind == Kind::Info {
            silent.insert(event.process);
        }
        let Process::Client(_) = event.process else { panic!("no nemesis here") };
    }
    assert!(!silent.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_connection_is_a_failure_because_nothing_was_sent() {
    let history = play(&["n1", "n2"], 10).await;
    let refused: Vec<_> = history.events.iter().filter(|event| event.error.as_deref() == Some("refused")).collect();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|event| event.kind == Kind::Fail));
}
