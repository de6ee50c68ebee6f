//! The clients of a plan: which they are, where their processes connect, how they log in, and which requests each carries out.

use std::collections::BTreeMap;
use std::fmt;

use elenchus_clients::{ALL as CLIENTS, ClientSpec};
use elenchus_control::system::System;
use elenchus_core::{Credentials, Need, NodeIndex, Workload};
use elenchus_nemesis::Roster;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::diagnostics::{did_you_mean, list};
use super::ssh::{Env, secret};
use super::{PlanError, PlanSource};
use crate::conductor::Route;

/// The names under `clients` that serve any workload: one for requests that only read, one for all others.
const READERS: &str = "readers";
const WRITERS: &str = "writers";

/// A client: a name, or a map of its name with settings, and how its processes connect.
#[derive(Clone, Debug)]
pub struct ClientChoice {
    /// The client, or an unknown name, which is reported later, with its place.
    spec: Result<ClientSpec, String>,
    placement: PlacementChoice,
    credentials: Option<CredentialSettings>,
}

/// The nodes that a client's processes connect to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlacementChoice {
    /// Process after process on node after node.
    #[default]
    RoundRobin,
    /// Each process on a random node.
    Any,
    /// The primary of the moment, which the system's definition must be able to find.
    Primary,
    /// The current non-primary nodes.
    Replicas,
    /// Process after process on these nodes.
    Nodes(Vec<String>),
    /// Process after process on the nodes of a zone.
    Zone(String),
}

/// How a client logs in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialSettings {
    /// The user.
    pub user: String,
    /// The password. `${env:NAME}` takes it from the environment.
    pub password: String,
}

/// A client of a resolved plan.
#[derive(Clone, Debug)]
pub struct ResolvedClient {
    /// Its name under `clients`, or the client's own.
    pub name: String,
    /// The client.
    pub spec: ClientSpec,
    /// The nodes that its processes connect to.
    pub placement: ResolvedPlacement,
    /// How it logs in.
    pub credentials: Option<Credentials>,
}

impl ResolvedClient {
    /// Whether it serves any workload, by the name `readers` or `writers`, rather than one part of a workload.
    pub fn is_for_any_workload(&self) -> bool {
        [READERS, WRITERS].contains(&self.name.as_str())
    }
}

/// The nodes that a client's processes connect to, looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedPlacement {
    /// See [`PlacementChoice::RoundRobin`].
    RoundRobin,
    /// See [`PlacementChoice::Any`].
    Any,
    /// See [`PlacementChoice::Primary`].
    Primary,
    /// See [`PlacementChoice::Replicas`].
    Replicas,
    /// These nodes, at least one.
    Nodes(Vec<NodeIndex>),
}

/// The clients of a resolved plan, and which of them carries out the requests to each client of the workload.
#[derive(Clone, Debug)]
pub struct ResolvedClients {
    /// The clients.
    pub clients: Vec<ResolvedClient>,
    /// For each need of the workload, the clients by position.
    pub routes: Vec<Route>,
}

impl<'de> Deserialize<'de> for ClientChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClientChoice, D::Error> {
        deserializer.deserialize_any(ClientVisitor)
    }
}

struct ClientVisitor;

impl<'de> Visitor<'de> for ClientVisitor {
    type Value = ClientChoice;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a client's name, or a map of its name with settings")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<ClientChoice, E> {
        let spec = ClientSpec::named(name).ok_or_else(|| name.to_owned());
        Ok(ClientChoice { spec, placement: PlacementChoice::default(), credentials: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ClientChoice, A::Error> {
        let (mut spec, mut placement, mut credentials) = (None, PlacementChoice::default(), None);
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "placement" => placement = map.next_value()?,
                "credentials" => credentials = Some(map.next_value()?),
                _ if spec.is_some() => {
                    return Err(de::Error::custom(
                        "a map of one client has only one client's name; for several clients write `clients:` with a name for each",
                    ));
                }
                _ => match ClientSpec::read(&name, &mut map)? {
                    Some(read) => spec = Some(read),
                    None => return Err(de::Error::unknown_variant(&name, NAMES.get_or_init(names))),
                },
            }
        }
        let spec =
            spec.ok_or_else(|| de::Error::custom("the map names no client; write the client's name with its settings, like `etcd: {}`"))?;
        Ok(ClientChoice { spec: Ok(spec), placement, credentials })
    }
}

static NAMES: std::sync::OnceLock<Vec<&'static str>> = std::sync::OnceLock::new();

fn names() -> Vec<&'static str> {
    CLIENTS.iter().map(|entry| entry.name).chain(["placement", "credentials"]).collect()
}

impl JsonSchema for ClientChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClientChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = CLIENTS.iter().map(|entry| entry.name).collect();
        let mut properties = serde_json::Map::new();
        for entry in CLIENTS {
            let mut schema = generator.subschema_for::<ClientSpec>().to_value();
            // The client's settings, from the enum's variant of the same name.
            let variants = generator.definitions().get("ClientSpec").and_then(|spec| spec.get("oneOf")).and_then(Json::as_array);
            let settings = variants.into_iter().flatten().find_map(|variant| variant.get("properties")?.get(entry.name));
            if let Some(settings) = settings {
                schema = settings.clone();
            }
            if let Some(fields) = schema.as_object_mut() {
                fields.insert("description".into(), entry.about.into());
            }
            properties.insert(entry.name.into(), schema);
        }
        let described = |schema: Schema, about: &str| json_schema!({ "allOf": [schema], "description": about }).to_value();
        let (placement, credentials) = (generator.subschema_for::<PlacementChoice>(), generator.subschema_for::<CredentialSettings>());
        properties.insert("placement".into(), described(placement, "The nodes that its processes connect to; `round_robin` when absent."));
        properties.insert("credentials".into(), described(credentials, "How it logs in."));
        json_schema!({ "x-list": "`elenchus clients` lists all clients", "anyOf": [{ "type": "string", "enum": names, "title": "the name of a client" }, { "type": "object", "properties": properties, "additionalProperties": false, "examples": [{ "etcd": {} }] }] })
    }
}

impl PlanSource {
    /// Looks up the clients, and decides which requests each carries out.
    pub(super) fn clients(
        &self,
        system: Option<&System>,
        workload: &dyn Workload,
        roster: &Roster,
        env: Env<'_>,
    ) -> Result<ResolvedClients, PlanError> {
        let plan = &self.plan;
        self.must(plan.client.is_none() || plan.clients.is_empty(), "client", || {
            "a plan has a `client` or `clients`, not both; move this one to `clients` under a name of its own".into()
        })?;
        let clients = if plan.clients.is_empty() {
            vec![self.single(system, roster, env)?]
        } else {
            let named = plan.clients.iter();
            named
                .map(|(name, choice)| self.resolve_client(name, &format!("clients.{name}"), choice, system, roster, env))
                .collect::<Result<_, _>>()?
        };
        let needs = workload.needs();
        let routes = needs.iter().map(|need| self.route(need, &clients)).collect::<Result<Vec<_>, _>>()?;
        for (need, route) in needs.iter().zip(&routes) {
            for at in [route.reads, route.writes] {
                self.must_offer(need, &clients[at])?;
            }
        }
        let is_used = |at: usize| routes.iter().any(|route| route.reads == at || route.writes == at);
        if let Some(unused) = (0..clients.len()).find(|at| !is_used(*at)) {
            let known: Vec<&str> = needs.iter().map(|need| need.client).chain([READERS, WRITERS]).collect();
            let name = &clients[unused].name;
            let error = self.origin.error_at_key(&format!("clients.{name}"), format!("no request would go to the client `{name}`"));
            let workload = plan.workload.name();
            return Err(error
                .label(did_you_mean(name, known.iter().copied()))
                .help(format!("the names of clients that the workload `{workload}` uses: {}", list(known.iter().copied()))));
        }
        Ok(ResolvedClients { clients, routes })
    }

    /// The plan's one client, or else the system's.
    fn single(&self, system: Option<&System>, roster: &Roster, env: Env<'_>) -> Result<ResolvedClient, PlanError> {
        if let Some(choice) = &self.plan.client {
            return self.resolve_client("client", "client", choice, system, roster, env);
        }
        let spec = system.and_then(|system| ClientSpec::named(system.definition().client.as_deref()?)).ok_or_else(|| {
            let error = self.origin.error("client", "the plan has neither a `client` nor a `system` with a default client");
            error.help("add `client:` with one of those that `elenchus clients` lists")
        })?;
        Ok(ResolvedClient { name: spec.entry().name.to_owned(), spec, placement: ResolvedPlacement::RoundRobin, credentials: None })
    }

    fn resolve_client(
        &self,
        name: &str,
        path: &str,
        choice: &ClientChoice,
        system: Option<&System>,
        roster: &Roster,
        env: Env<'_>,
    ) -> Result<ResolvedClient, PlanError> {
        let spec = choice.spec.clone().map_err(|name| unknown_client(&self.origin, path, &name))?;
        let entry = spec.entry();
        let placement = self.placement(&format!("{path}.placement"), &choice.placement, system, roster)?;
        let credentials = match &choice.credentials {
            None => None,
            Some(settings) => {
                let at = format!("{path}.credentials");
                self.must(entry.accepts_credentials, &at, || format!("the client `{}` does not log in; remove `credentials`", entry.name))?;
                let password = secret(&settings.password, env).map_err(|why| self.origin.error(&format!("{at}.password"), why))?;
                Some(Credentials { user: settings.user.clone(), password })
            }
        };
        let name = if path == "client" { entry.name } else { name };
        Ok(ResolvedClient { name: name.to_owned(), spec, placement, credentials })
    }

    fn placement(
        &self,
        path: &str,
        choice: &PlacementChoice,
        system: Option<&System>,
        roster: &Roster,
    ) -> Result<ResolvedPlacement, PlanError> {
        let has_primary = system.is_some_and(|system| system.definition().primary.is_some());
        let must_have_primary = || {
            self.must(has_primary, path, || {
                "this placement follows the primary, so the plan needs a `system` whose definition has a `primary` command".into()
            })
        };
        let nodes = |names: &[String]| {
            let find = |name: &String| roster.nodes.iter().position(|node| node == name).map(|at| NodeIndex(at as u16));
            let unknown = |name: &String| {
                let error = self.origin.error_at_word(path, format!("unknown node `{name}`"));
                error.help(format!("nodes: {}", list(roster.nodes.iter().map(String::as_str))))
            };
            let found: Vec<NodeIndex> = names.iter().map(|name| find(name).ok_or_else(|| unknown(name))).collect::<Result<_, _>>()?;
            self.must(!found.is_empty(), path, || "the list of nodes is empty; name at least one".into())?;
            Ok(ResolvedPlacement::Nodes(found))
        };
        match choice {
            PlacementChoice::RoundRobin => Ok(ResolvedPlacement::RoundRobin),
            PlacementChoice::Any => Ok(ResolvedPlacement::Any),
            PlacementChoice::Primary => must_have_primary().map(|()| ResolvedPlacement::Primary),
            PlacementChoice::Replicas => must_have_primary().map(|()| ResolvedPlacement::Replicas),
            PlacementChoice::Nodes(names) => nodes(names),
            PlacementChoice::Zone(zone) => match self.plan.zones.get(zone) {
                Some(names) => nodes(names),
                None => {
                    let known = || self.plan.zones.keys().map(String::as_str);
                    let error = self.origin.error_at_word(path, format!("unknown zone `{zone}`")).label(did_you_mean(zone, known()));
                    Err(error.help(format!("zones: {}", list(known()))))
                }
            },
        }
    }

    /// The clients for a need of the workload: the one of its name; or one for reads and one for writes; or the only one.
    fn route(&self, need: &Need, clients: &[ResolvedClient]) -> Result<Route, PlanError> {
        let find = |name: &str| clients.iter().position(|client| client.name == name);
        if self.plan.clients.is_empty() {
            return Ok(Route { reads: 0, writes: 0 });
        }
        match (find(need.client), find(READERS), find(WRITERS)) {
            (Some(only), _, _) => Ok(Route { reads: only, writes: only }),
            (None, Some(reads), Some(writes)) => Ok(Route { reads, writes }),
            _ => {
                let message = format!("the workload `{}` needs a client named `{}`", self.plan.workload.name(), need.client);
                let error = self.origin.error("clients", message);
                Err(error.help(format!("add it under `clients`, or both `{READERS}` and `{WRITERS}`")))
            }
        }
    }

    fn must_offer(&self, need: &Need, client: &ResolvedClient) -> Result<(), PlanError> {
        need.met_by(&client.spec.build().offers()).map_err(|lack| {
            let (workload, entry) = (self.plan.workload.name(), client.spec.entry().name);
            let message = format!("the workload `{workload}` needs {lack}, which the client `{entry}` does not offer");
            self.origin.error("workload", message).help("`elenchus clients` lists what each client offers")
        })
    }
}

/// The passwords of clients, as written, with their paths.
pub(super) fn secrets(client: Option<&ClientChoice>, clients: &BTreeMap<String, ClientChoice>) -> Vec<(String, String)> {
    let all = client.map(|client| ("client".to_owned(), client)).into_iter();
    let all = all.chain(clients.iter().map(|(name, client)| (format!("clients.{name}"), client)));
    all.filter_map(|(path, client)| Some((format!("{path}.credentials.password"), client.credentials.as_ref()?.password.clone()))).collect()
}

pub(super) fn unknown_client(origin: &super::diagnostics::Origin, path: &str, name: &str) -> PlanError {
    let known = || CLIENTS.iter().map(|entry| entry.name);
    let error = origin.error(path, format!("unknown client `{name}`")).label(did_you_mean(name, known()));
    error.help("`elenchus clients` lists all clients")
}
