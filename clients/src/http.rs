//! JSON over HTTP, and the transport's part of the rule on failures.

use elenchus_core::Failure;
use reqwest::{Client, Method, StatusCode, redirect};
use serde_json::Value as Json;

/// One connection to one server. It follows no redirect, uses no proxy and retries nothing: what is sent is sent once.
pub(crate) struct Http {
    client: Client,
    base: String,
}

/// An answer that arrived whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The body as JSON; null where it is none.
    pub(crate) body: Json,
}

impl Answer {
    /// The server's own words on what went wrong.
    pub(crate) fn complaint(&self) -> String {
        let said = ["message", "error"].iter().find_map(|field| self.body.get(field).and_then(Json::as_str));
        match said {
            Some(text) => text.to_owned(),
            None => format!("HTTP status {}", self.status),
        }
    }
}

impl Http {
    pub(crate) fn new(address: &str, port: u16) -> Result<Http, Failure> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true)
            .build()
            .map_err(|error| Failure::Fail(format!("the HTTP client cannot be made: {error}")))?;
        let address = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        Ok(Http { client, base: format!("http://{address}:{port}") })
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// `Fail` only when no connection could be made, so that nothing was sent. Everything later is `Info`: the request may have arrived.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Answer, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| {
            let text = reason(&error);
            if error.is_connect() || error.is_builder() { Failure::Fail(text) } else { Failure::Info(text) }
        })?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| Failure::Info(reason(&error)))?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Json::Null) })
    }
}

/// The innermost cause, which says what happened rather than where in the library.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
