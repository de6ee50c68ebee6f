//! etcd's v3 API, by the JSON gateway that every etcd serves beside gRPC.
//!
//! Values are stored as JSON text; a key that does not exist holds nil. Keys and values are base64 on the wire
//! (<https://etcd.io/docs/latest/dev-guide/api_grpc_gateway>).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elenchus_core::data::{Register, TypedConnection, typed};
use elenchus_core::{BoxFuture, Client, Connection, DataType, Failure, Offer, Session, Value};
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::http::{Answer, Http};
use crate::{Settings, TestServer};

/// Settings of the etcd client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EtcdSettings {
    /// Port that etcd serves clients on.
    pub port: u16,
    /// How reads are served: `linearizable`, confirmed by a quorum, or `serializable`, from the node's own state, which may be stale.
    pub reads: EtcdReads,
}

impl Default for EtcdSettings {
    fn default() -> EtcdSettings {
        EtcdSettings { port: 2379, reads: EtcdReads::Linearizable }
    }
}

impl Settings for EtcdSettings {
    const EXAMPLE: &'static str = "{etcd: {reads: serializable}}";
    const ACCEPTS_CREDENTIALS: bool = true;
    const TEST_SERVER: TestServer = TestServer::Command {
        program: "etcd",
        package: "etcd-server",
        command: "exec etcd --name only --data-dir {dir} \
                  --listen-client-urls http://127.0.0.1:{port} --advertise-client-urls http://127.0.0.1:{port} \
                  --listen-peer-urls http://127.0.0.1:{peer_port} --initial-advertise-peer-urls http://127.0.0.1:{peer_port} \
                  --initial-cluster only=http://127.0.0.1:{peer_port}",
    };

    fn build(&self) -> Arc<dyn Client> {
        Arc::new(self.clone())
    }

    fn on_port(self, port: u16) -> Option<EtcdSettings> {
        Some(EtcdSettings { port, ..self })
    }
}

/// The consistency of reads from etcd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EtcdReads {
    /// The newest value, confirmed by a quorum.
    #[default]
    Linearizable,
    /// The value on the node that is asked, which may be stale.
    Serializable,
}

/// Errors by which etcd proves that a request did nothing, and why. All others prove nothing: a request that timed out or lost its leader
/// may be in the log, and `server stopped` is also the reply to requests that were proposed already.
const PROVES_NOTHING_HAPPENED: &[(&str, &str)] = &[
    (
        "etcdserver: too many requests",
        "refused by the back-pressure check before it is proposed (server/etcdserver/v3_server.go, processInternalRaftRequestOnce)",
    ),
    ("etcdserver: request is too large", "refused by the size check before it is proposed (same place)"),
    ("etcdserver: not capable", "refused by the API's version check"),
];

impl Client for EtcdSettings {
    fn offers(&self) -> Vec<Offer> {
        vec![Offer::all(DataType::Register)]
    }

    fn connect<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async move {
            let mut etcd = Etcd { http: Http::new(session, self.port)?, serializable: self.reads == EtcdReads::Serializable };
            if let Some(login) = &session.deployment.credentials {
                let body = etcd.ask("/v3/auth/authenticate", json!({ "name": login.user, "password": login.password.reveal() })).await?;
                let token = body.get("token").and_then(Json::as_str).ok_or_else(|| Failure::Fail("etcd gave no token".into()))?;
                etcd.http = etcd.http.authorized(token)?;
            }
            Ok(typed(etcd))
        })
    }
}

struct Etcd {
    http: Http,
    serializable: bool,
}

impl Etcd {
    async fn ask(&self, path: &str, body: Json) -> Result<Json, Failure> {
        let answer = self.http.ask(Method::POST, path, Some(&body)).await?;
        if !answer.status.is_success() {
            return Err(failure(&answer));
        }
        // Every response has a header, and the gateway leaves out what is false, zero or empty: without this check any JSON would be taken for a
        // missing key or a refused transaction.
        if !answer.body.get("header").is_some_and(Json::is_object) {
            return Err(Failure::Info("the answer has no `header`, so it is not etcd's".into()));
        }
        Ok(answer.body)
    }
}

fn failure(answer: &Answer) -> Failure {
    let complaint = answer.complaint();
    let proved = PROVES_NOTHING_HAPPENED.iter().any(|(error, _)| complaint.contains(error));
    if proved { Failure::Fail(complaint) } else { Failure::Info(complaint) }
}

fn key_text(key: &Value) -> String {
    STANDARD.encode(key.as_text().map_or_else(|| key.to_string(), str::to_owned))
}

fn value_text(value: &Value) -> Result<String, Failure> {
    let text = serde_json::to_vec(value).map_err(|error| Failure::Fail(format!("{value} cannot be stored: {error}")))?;
    Ok(STANDARD.encode(text))
}

/// The value of a range response.
fn first_value(body: &Json) -> Result<Value, Failure> {
    let Some(kvs) = body.get("kvs") else { return Ok(Value::Nil) };
    let Some(found) = kvs.get(0) else { return Err(Failure::Info(format!("`kvs` without a value: {kvs}"))) };
    // An empty value is left out of the JSON; nothing this client writes is empty.
    let text = found.get("value").and_then(Json::as_str).and_then(|text| STANDARD.decode(text).ok());
    text.and_then(|text| serde_json::from_slice(&text).ok())
        .ok_or_else(|| Failure::Info(format!("a value that this client did not write: {found}")))
}

impl TypedConnection for Etcd {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }
}

impl Register for Etcd {
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let body = self.ask("/v3/kv/range", json!({ "key": key_text(key), "serializable": self.serializable })).await?;
            first_value(&body)
        })
    }

    fn write<'a>(&'a mut self, key: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { self.ask("/v3/kv/put", json!({ "key": key_text(key), "value": value_text(value)? })).await.map(drop) })
    }

    fn compare_and_set<'a>(&'a mut self, key: &'a Value, old: &'a Value, new: &'a Value) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let key = key_text(key);
            // A key that does not exist has version 0 and no value to compare.
            let compare = match old {
                Value::Nil => json!({ "key": key, "target": "VERSION", "result": "EQUAL", "version": "0" }),
                old => json!({ "key": key, "target": "VALUE", "result": "EQUAL", "value": value_text(old)? }),
            };
            let put = json!({ "requestPut": { "key": key, "value": value_text(new)? } });
            let body = self.ask("/v3/kv/txn", json!({ "compare": [compare], "success": [put] })).await?;
            // The gateway leaves `false` out.
            Ok(body.get("succeeded").and_then(Json::as_bool).unwrap_or(false))
        })
    }
}
