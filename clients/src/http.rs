//! JSON over HTTP, and the transport's part of the rule on failures.

use elenchus_core::{Failure, Session};
use reqwest::{Client, Method, StatusCode, header, redirect};
use serde_json::Value as Json;

/// The longest body that is read, in bytes. Longer ones are no answer of a system whose values Elenchus wrote.
const BODY_MAX: usize = 16 << 20;

/// The longest part of an error answer that is kept, in bytes.
const COMPLAINT_MAX: usize = 500;

/// One connection to one server. It follows no redirect, uses no proxy and retries nothing: what is sent is sent once.
pub(crate) struct Http {
    client: Client,
    base: String,
    authorization: Option<header::HeaderValue>,
}

/// An answer that arrived whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The body as JSON; null where an error's body is none.
    pub(crate) body: Json,
}

impl Answer {
    /// The server's own words on what went wrong.
    pub(crate) fn complaint(&self) -> String {
        let said = ["message", "error"].iter().find_map(|field| self.body.get(field).and_then(Json::as_str));
        match said {
            Some(text) => shortened(text),
            None => format!("HTTP status {}", self.status),
        }
    }
}

/// The beginning of a text from a server.
fn shortened(text: &str) -> String {
    match text.char_indices().find(|(at, _)| *at >= COMPLAINT_MAX) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

impl Http {
    /// A connection to a port of a node; nothing is sent yet.
    pub(crate) fn new(session: &Session, port: u16) -> Result<Http, Failure> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true)
            // Sooner than the operation's time-out: a connection that was never made proves that nothing was sent.
            .connect_timeout(session.deployment.timeout / 2)
            .build()
            .map_err(|error| Failure::Fail(format!("the HTTP client cannot be made: {error}")))?;
        let address = &session.endpoint().address;
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        Ok(Http { client, base: format!("http://{address}:{port}"), authorization: None })
    }

    /// The same connection; every request carries this `Authorization` header, which is never printed.
    pub(crate) fn authorized(mut self, authorization: &str) -> Result<Http, Failure> {
        let mut value = header::HeaderValue::from_str(authorization)
            .map_err(|_| Failure::Fail("the server's token has characters that HTTP does not allow".into()))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(self)
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// `Fail` only when no connection could be made, so that nothing was sent. Everything later is `Info`: the request may have arrived. That includes
    /// a success whose body is not JSON: it is the answer of something else, like a proxy, or the rest of one that was cut off.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Answer, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| {
            let text = reason(&error);
            if error.is_connect() || error.is_builder() { Failure::Fail(text) } else { Failure::Info(text) }
        })?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| Failure::Info(reason(&error)))? {
            if bytes.len() + part.len() > BODY_MAX {
                return Err(Failure::Info(format!("HTTP status {status} with a body of more than {BODY_MAX} bytes")));
            }
            bytes.extend_from_slice(&part);
        }
        match serde_json::from_slice(&bytes) {
            Ok(body) => Ok(Answer { status, body }),
            Err(_) if !status.is_success() => Ok(Answer { status, body: Json::Null }),
            Err(error) => Err(Failure::Info(format!(
                "HTTP status {status} with a body that is not JSON ({error}): {}",
                shortened(&String::from_utf8_lossy(&bytes[..bytes.len().min(COMPLAINT_MAX)]))
            ))),
        }
    }
}

/// The innermost cause: the outer ones only locate the error in the library.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
