//! The specimen's HTTP.
//!
//! An error answer says itself whether the operation had an effect: `"effect": "none"` is a proof that nothing happened, anything else is not.

use elenchus_core::{BoxFuture, Client, Connection, DataType, Failure, Register, Target, Value};
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::http::{Answer, Http};

/// Settings of the specimen's client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpecimenSpec {
    /// Port that the specimen listens on.
    pub port: u16,
}

impl Default for SpecimenSpec {
    fn default() -> SpecimenSpec {
        SpecimenSpec { port: 7000 }
    }
}

pub(crate) struct Specimen {
    spec: SpecimenSpec,
}

impl Specimen {
    pub(crate) fn new(spec: SpecimenSpec) -> Specimen {
        Specimen { spec }
    }
}

impl Client for Specimen {
    fn offers(&self) -> &'static [DataType] {
        &[DataType::Register]
    }

    fn connect<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async move { Ok(Box::new(Session(Http::new(&target.address, self.spec.port)?)) as Box<dyn Connection>) })
    }
}

struct Session(Http);

impl Session {
    async fn ask(&self, method: Method, path: String, body: Option<Json>) -> Result<Json, Failure> {
        let answer = self.0.ask(method, &path, body.as_ref()).await?;
        if answer.status.is_success() { Ok(answer.body) } else { Err(failure(&answer)) }
    }
}

fn failure(answer: &Answer) -> Failure {
    let complaint = answer.complaint();
    match answer.body.get("effect").and_then(Json::as_str) {
        Some("none") => Failure::Fail(complaint),
        _ => Failure::Info(complaint),
    }
}

/// A key as one segment of a path. Keys of workloads are words and numbers; what else a key may be is written as EDN and escaped.
fn path(key: &Value) -> String {
    let text = key.as_text().map_or_else(|| key.to_string(), str::to_owned);
    let escaped: String = text
        .bytes()
        .map(
            |byte| if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { (byte as char).to_string() } else { format!("%{byte:02X}") },
        )
        .collect();
    format!("/v1/keys/{escaped}")
}

fn unexpected(body: &Json) -> Failure {
    Failure::Info(format!("an answer that makes no sense: {body}"))
}

impl Connection for Session {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }
}

impl Register for Session {
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let body = self.ask(Method::GET, path(key), None).await?;
            let value = body.get("value").ok_or_else(|| unexpected(&body))?;
            serde_json::from_value(value.clone()).map_err(|_| unexpected(&body))
        })
    }

    fn write<'a>(&'a mut self, key: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { self.ask(Method::PUT, path(key), Some(json!({ "value": value }))).await.map(drop) })
    }

    fn compare_and_set<'a>(&'a mut self, key: &'a Value, old: &'a Value, new: &'a Value) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let body = self.ask(Method::POST, format!("{}/cas", path(key)), Some(json!({ "expect": old, "value": new }))).await?;
            body.get("swapped").and_then(Json::as_bool).ok_or_else(|| unexpected(&body))
        })
    }
}
