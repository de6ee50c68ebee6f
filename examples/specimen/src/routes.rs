//! The node's HTTP routes: for clients, for other nodes, and for Raft.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use openraft::error::RaftError;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::network::{APPEND, VOTE};
use crate::raft::{Change, Step, Types};
use crate::service::{Answer, FORWARD, Operation, Refusal, Service};
use crate::status::Status;

type Shared = State<Arc<Service>>;

pub(crate) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route("/v1/keys/{key}", get(read).put(write))
        .route("/v1/keys/{key}/cas", post(compare_and_set))
        .route("/v1/keys/{key}/append", post(push))
        .route("/v1/transactions", post(transaction))
        .route("/v1/status", get(status))
        .route(FORWARD, post(forwarded))
        .route(APPEND, post(append))
        .route(VOTE, post(vote))
        // A node that was down receives hundreds of entries in one request.
        .layer(DefaultBodyLimit::disable())
        .with_state(service)
}

async fn read(State(service): Shared, Path(key): Path<String>) -> Response {
    answer(service.perform(Operation::Read { key }).await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    value: Value,
}

async fn write(State(service): Shared, Path(key): Path<String>, body: Result<Json<Write>, JsonRejection>) -> Response {
    match body {
        Ok(Json(Write { value })) => answer(service.perform(Operation::Change(Change::Put { key, value })).await),
        Err(rejection) => malformed(&rejection),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompareAndSet {
    expect: Value,
    value: Value,
}

async fn compare_and_set(State(service): Shared, Path(key): Path<String>, body: Result<Json<CompareAndSet>, JsonRejection>) -> Response {
    match body {
        Ok(Json(CompareAndSet { expect, value })) => {
            let result = service.perform(Operation::Change(Change::CompareAndSet { key, expect, value })).await;
            match result {
                Ok(Answer::Changed(applied)) => Json(json!({ "swapped": applied.swapped })).into_response(),
                other => answer(other),
            }
        }
        Err(rejection) => malformed(&rejection),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Append {
    element: Value,
}

async fn push(State(service): Shared, Path(key): Path<String>, body: Result<Json<Append>, JsonRejection>) -> Response {
    match body {
        Ok(Json(Append { element })) => answer(service.perform(Operation::Change(Change::Append { key, element })).await),
        Err(rejection) => malformed(&rejection),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transaction {
    steps: Vec<Step>,
}

async fn transaction(State(service): Shared, body: Result<Json<Transaction>, JsonRejection>) -> Response {
    match body {
        Ok(Json(Transaction { steps })) => match service.perform(Operation::Change(Change::Transaction { steps })).await {
            Ok(Answer::Changed(applied)) => Json(json!({ "reads": applied.reads })).into_response(),
            other => answer(other),
        },
        Err(rejection) => malformed(&rejection),
    }
}

async fn status(State(service): Shared) -> Json<Status> {
    Json(service.status())
}

async fn forwarded(State(service): Shared, Json(operation): Json<Operation>) -> Json<Result<Answer, Refusal>> {
    Json(service.perform_here(operation).await)
}

async fn append(
    State(service): Shared,
    Json(request): Json<AppendEntriesRequest<Types>>,
) -> Json<Result<AppendEntriesResponse<u64>, RaftError<u64>>> {
    Json(service.raft.append_entries(request).await)
}

async fn vote(State(service): Shared, Json(request): Json<VoteRequest<u64>>) -> Json<Result<VoteResponse<u64>, RaftError<u64>>> {
    Json(service.raft.vote(request).await)
}

fn answer(result: Result<Answer, Refusal>) -> Response {
    match result {
        Ok(Answer::Value(value)) => Json(json!({ "value": value })).into_response(),
        Ok(Answer::Changed(_)) => Json(json!({ "done": true })).into_response(),
        Err(refusal) => (StatusCode::SERVICE_UNAVAILABLE, Json(refusal)).into_response(),
    }
}

fn malformed(rejection: &JsonRejection) -> Response {
    (rejection.status(), Json(Refusal::none(rejection.body_text()))).into_response()
}
