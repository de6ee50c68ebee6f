//! The specimen's HTTP.
//!
//! An error answer says itself whether the operation had an effect: `"effect": "none"` is a proof that nothing happened, anything else is not.

use std::sync::Arc;

use elenchus_core::data::{Register, Set, TransactionResult, TransactionStep, Transactions, TypedConnection, typed};
use elenchus_core::{BoxFuture, Client, Connection, DataType, Failure, Offer, Session, Value};
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::http::{Answer, Http};
use crate::{Settings, TestServer};

/// Settings of the specimen's client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpecimenSettings {
    /// Port that the specimen listens on.
    pub port: u16,
}

impl Default for SpecimenSettings {
    fn default() -> SpecimenSettings {
        SpecimenSettings { port: 7000 }
    }
}

impl Settings for SpecimenSettings {
    const EXAMPLE: &'static str = "{specimen: {port: 7000}}";
    const TEST_SERVER: TestServer = TestServer::Command {
        program: "sh",
        package: "",
        command: "exec {elenchus} specimen serve --name n1 --listen 127.0.0.1:{port} --peers n1=127.0.0.1:{port} --data {dir}",
    };

    fn build(&self) -> Arc<dyn Client> {
        Arc::new(self.clone())
    }

    fn on_port(self, port: u16) -> Option<SpecimenSettings> {
        Some(SpecimenSettings { port })
    }
}

impl Client for SpecimenSettings {
    fn offers(&self) -> Vec<Offer> {
        let steps = ["r", "append", "w", "add", "inc"];
        vec![Offer::all(DataType::Register), Offer::all(DataType::Set), Offer::some(DataType::Transactions, &steps)]
    }

    fn connect<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Result<Box<dyn Connection>, Failure>> {
        Box::pin(async move { Ok(typed(Specimen(Http::new(session, self.port)?))) })
    }
}

struct Specimen(Http);

impl Specimen {
    async fn ask(&self, method: Method, path: String, body: Option<Json>) -> Result<Json, Failure> {
        let answer = self.0.ask(method, &path, body.as_ref()).await?;
        if answer.status.is_success() && answer.body.is_object() { Ok(answer.body) } else { Err(failure(&answer)) }
    }

    /// Asks for a change and waits for the word that it was made.
    async fn change(&self, method: Method, path: String, body: Json) -> Result<(), Failure> {
        let body = self.ask(method, path, Some(body)).await?;
        if body.get("done") == Some(&Json::Bool(true)) { Ok(()) } else { Err(unexpected(&body)) }
    }

    async fn value(&self, key: &Value) -> Result<Value, Failure> {
        let body = self.ask(Method::GET, path(key), None).await?;
        let value = body.get("value").ok_or_else(|| unexpected(&body))?;
        serde_json::from_value(value.clone()).map_err(|_| unexpected(&body))
    }
}

fn failure(answer: &Answer) -> Failure {
    let complaint = answer.complaint();
    match answer.body.get("effect").and_then(Json::as_str) {
        Some("none") => Failure::Fail(complaint),
        _ => Failure::Info(complaint),
    }
}

/// The text that stands for a key: words as they are, anything else as EDN.
fn key_text(key: &Value) -> String {
    key.as_text().map_or_else(|| key.to_string(), str::to_owned)
}

/// A key as one segment of a path, escaped.
fn path(key: &Value) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let escape = |byte: u8| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") };
    format!("/v1/keys/{}", key_text(key).bytes().map(escape).collect::<String>())
}

fn unexpected(body: &Json) -> Failure {
    Failure::Info(format!("an answer that the specimen does not give: {body}"))
}

impl TypedConnection for Specimen {
    fn register(&mut self) -> Option<&mut dyn Register> {
        Some(self)
    }

    fn set(&mut self) -> Option<&mut dyn Set> {
        Some(self)
    }

    fn transactions(&mut self) -> Option<&mut dyn Transactions> {
        Some(self)
    }
}

impl Register for Specimen {
    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(self.value(key))
    }

    fn write<'a>(&'a mut self, key: &'a Value, value: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { self.change(Method::PUT, path(key), json!({ "value": value })).await })
    }

    fn compare_and_set<'a>(&'a mut self, key: &'a Value, old: &'a Value, new: &'a Value) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let body = self.ask(Method::POST, format!("{}/cas", path(key)), Some(json!({ "expect": old, "value": new }))).await?;
            body.get("swapped").and_then(Json::as_bool).ok_or_else(|| unexpected(&body))
        })
    }
}

impl Set for Specimen {
    fn add<'a>(&'a mut self, key: &'a Value, element: &'a Value) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { self.change(Method::POST, format!("{}/append", path(key)), json!({ "element": element })).await })
    }

    fn read<'a>(&'a mut self, key: &'a Value) -> BoxFuture<'a, Result<Vec<Value>, Failure>> {
        Box::pin(async move {
            match self.value(key).await? {
                Value::Nil => Ok(Vec::new()),
                Value::List(elements) => Ok(elements),
                other => Err(Failure::Info(format!("{other} is not a set"))),
            }
        })
    }
}

/// The step as the specimen reads it, `[word, key, argument]`.
fn step(step: &TransactionStep) -> Result<Json, Failure> {
    let word = step.kind().word();
    Ok(match step {
        TransactionStep::Read { key } => json!([word, key_text(key), null]),
        TransactionStep::Append { key, element } | TransactionStep::Add { key, element } => json!([word, key_text(key), element]),
        TransactionStep::Write { key, value } => json!([word, key_text(key), value]),
        TransactionStep::Increment { key, by } => json!([word, key_text(key), by]),
        TransactionStep::ReadWhere { .. } => return Err(Failure::Fail("the specimen has no predicate reads".into())),
    })
}

impl Transactions for Specimen {
    fn execute<'a>(&'a mut self, steps: &'a [TransactionStep]) -> BoxFuture<'a, Result<TransactionResult, Failure>> {
        Box::pin(async move {
            let steps: Vec<Json> = steps.iter().map(step).collect::<Result<_, _>>()?;
            let body = self.ask(Method::POST, "/v1/transactions".into(), Some(json!({ "steps": steps }))).await?;
            let reads = body.get("reads").cloned().ok_or_else(|| unexpected(&body))?;
            let reads = serde_json::from_value(reads).map_err(|_| unexpected(&body))?;
            Ok(TransactionResult { reads, ..TransactionResult::default() })
        })
    }
}
