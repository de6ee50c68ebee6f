//! One running node.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use openraft::error::Fatal;
use openraft::{Config, SnapshotPolicy};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::bootstrap::bootstrap;
use crate::defect::Defect;
use crate::early_ack::Primary;
use crate::journal::{Durability, JournalError, Writer, open};
use crate::log_store::LogStore;
use crate::members::Members;
use crate::network::{Network, http};
use crate::raft::Raft;
use crate::routes::routes;
use crate::service::Service;
use crate::state::State;

/// The settings of a node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, which must be a member's.
    pub name: String,
    /// The address it listens on.
    pub listen: SocketAddr,
    /// The members of the cluster.
    pub members: Members,
    /// The directory for its data.
    pub data: PathBuf,
    /// The enabled defect.
    pub defect: Option<Defect>,
    /// The interval of the leader's heartbeats. A follower starts an election after 4 to 8 intervals without one.
    pub heartbeat: Duration,
}

/// The reason why a node ended or did not start.
#[derive(Debug, Error)]
pub enum NodeError {
    /// It is not among the members.
    #[error("the node's name `{name}` is not among the peers ({members}); --peers lists every node, this one too")]
    Stranger {
        /// The node's name.
        name: String,
        /// The members' names.
        members: String,
    },
    /// Its data cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It cannot listen.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// The heartbeat is too short or too long.
    #[error("the heartbeat is {0:?}; it must be between 1ms and 1min")]
    Heartbeat(Duration),
    /// The HTTP client cannot be created.
    #[error("cannot make an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// Raft stopped: the log could not be written or read, or a task panicked.
    #[error("the Raft node has stopped: {0}")]
    Raft(#[from] Fatal<u64>),
    /// The log could not be written at shutdown.
    #[error("the last of the log could not be written: {0}")]
    Flush(io::Error),
}

/// Runs a node until `stop` completes or the node cannot continue.
///
/// # Errors
/// See [`NodeError`].
pub async fn serve(settings: Settings, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
    let (service, writer) = start(&settings).await?;
    let address = settings.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| NodeError::Listen { address, source })?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    tracing::info!(%address, defect = settings.defect.map_or("none", Defect::name), "{} serves", settings.name);
    let service = Arc::new(service);
    let server = tokio::spawn(axum::serve(listener, routes(service.clone())).into_future());
    let end = tokio::select! {
        () = stop => Ok(()),
        fatal = ended(&service.raft) => Err(NodeError::Raft(fatal)),
        never = async { bootstrap(&service).await; std::future::pending().await } => never,
    };
    server.abort();
    drop(service.raft.shutdown().await);
    let flushed = writer.flush().await.map_err(NodeError::Flush);
    tracing::info!("{} ends", settings.name);
    end.and(flushed)
}

async fn start(settings: &Settings) -> Result<(Service, Writer), NodeError> {
    let members = settings.members.clone();
    let names: Vec<String> = members.names().map(str::to_owned).collect();
    let stranger = || NodeError::Stranger { name: settings.name.clone(), members: names.join(", ") };
    let id = members.id(&settings.name).ok_or_else(stranger)?;
    let config = config(settings.heartbeat)?;
    let durability = match settings.defect {
        Some(Defect::LostFsync) => Durability::Delayed,
        Some(Defect::NoFsync) => Durability::Unsynced,
        _ => Durability::Synced,
    };
    let (writer, records) = open(&settings.data, &settings.name, &names, durability)?;
    let state = State::default();
    let http = http()?;
    let network = Network { http: http.clone(), members: members.clone() };
    let raft = Raft::new(id, config, network, LogStore::new(records, writer.clone()), state.clone()).await?;
    let service = Service { id, members, raft, state, http, defect: settings.defect, primary: Primary::default() };
    Ok((service, writer))
}

fn config(heartbeat: Duration) -> Result<Arc<Config>, NodeError> {
    let millis = u64::try_from(heartbeat.as_millis()).unwrap_or(u64::MAX);
    if !(1..=60_000).contains(&millis) {
        return Err(NodeError::Heartbeat(heartbeat));
    }
    Ok(Arc::new(Config {
        cluster_name: "specimen".into(),
        heartbeat_interval: millis,
        election_timeout_min: 4 * millis,
        election_timeout_max: 8 * millis,
        snapshot_policy: SnapshotPolicy::Never,
        ..Config::default()
    }))
}

/// Waits until Raft stops by itself.
async fn ended(raft: &Raft) -> Fatal<u64> {
    let mut metrics = raft.metrics();
    loop {
        if let Err(fatal) = metrics.borrow().running_state.clone() {
            return fatal;
        }
        if metrics.changed().await.is_err() {
            return Fatal::Panicked;
        }
    }
}
