//! Raft messages between nodes, as JSON over HTTP.

use std::time::Duration;

use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{AnyError, EmptyNode};
use reqwest::redirect::Policy;
use serde::{Serialize, de::DeserializeOwned};

use crate::members::Members;
use crate::raft::Types;

/// The path for append-entries requests.
pub(crate) const APPEND: &str = "/raft/append";
/// The path for vote requests.
pub(crate) const VOTE: &str = "/raft/vote";

/// The pause after a node refused a connection. Shorter than any election time-out, so that a healed link is used before an election starts.
const PAUSE: Duration = Duration::from_millis(100);

/// The time-out for connecting. A request without a connection was certainly not sent; one without an answer may have been processed.
const CONNECT: Duration = Duration::from_secs(1);

/// The HTTP client between nodes: one attempt, without proxies and redirects.
pub(crate) fn http() -> reqwest::Result<reqwest::Client> {
    let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).retry(reqwest::retry::never());
    builder.tcp_nodelay(true).connect_timeout(CONNECT).build()
}

/// Creates the connections to the other members.
pub(crate) struct Network {
    pub(crate) http: reqwest::Client,
    pub(crate) members: Members,
}

/// The connection to one other member.
pub(crate) struct Link {
    http: reqwest::Client,
    target: u64,
    address: String,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _: &EmptyNode) -> Link {
        let address = self.members.address(target).unwrap_or_default().to_owned();
        Link { http: self.http.clone(), target, address }
    }
}

type RpcError<E> = RPCError<u64, EmptyNode, RaftError<u64, E>>;

impl Link {
    async fn send<Q, A, E>(&self, path: &str, request: &Q, option: &RPCOption) -> Result<A, RpcError<E>>
    where
        Q: Serialize,
        A: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let url = format!("http://{}{path}", self.address);
        let failed = |error: reqwest::Error| {
            if error.is_connect() { RPCError::Unreachable(Unreachable::new(&error)) } else { RPCError::Network(NetworkError::new(&error)) }
        };
        let answer = self.http.post(url).timeout(option.hard_ttl()).json(request).send().await.map_err(failed)?;
        let result: Result<A, RaftError<u64, E>> = answer.json().await.map_err(failed)?;
        result.map_err(|error| RemoteError::new(self.target, error).into())
    }
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64>>> {
        self.send(APPEND, &request, &option).await
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64>>> {
        self.send(VOTE, &request, &option).await
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, RPCError<u64, EmptyNode, RaftError<u64, InstallSnapshotError>>> {
        Err(RPCError::Unreachable(Unreachable::new(&AnyError::error("the specimen does not take snapshots"))))
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(PAUSE))
    }
}
