//! Values with a short form (`etcd`) and a long one (`{etcd: {reads: serializable}}`).
//!
//! Serde's untagged enums would lose the place of every error; these visitors keep it.

use std::fmt;

use elenchus_workloads::WorkloadSpec;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{SshSettings, SystemOptions};

/// A system: a name or a file, or a map with options.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum SystemChoice {
    /// A name or a file, with default options.
    Named(String),
    /// With options.
    Set(SystemSettings),
}

/// A system with options.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemSettings {
    /// A system's name, or the file that defines one.
    pub name: String,
    /// Values for the options of its definition.
    #[serde(default)]
    pub options: SystemOptions,
}

impl SystemChoice {
    /// The name or file, and the options.
    pub fn parts(&self) -> (&str, SystemOptions) {
        match self {
            SystemChoice::Named(name) => (name, SystemOptions::new()),
            SystemChoice::Set(settings) => (&settings.name, settings.options.clone()),
        }
    }
}

/// A node: an address, or a map with an address.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum NodeEntry {
    /// An address, which is also the node's name.
    Address(String),
    /// With its own name or login settings.
    Set(Box<NodeSettings>),
}

/// A node with its own name or login settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeSettings {
    /// The node's name in the test; by default its address.
    #[serde(default)]
    pub name: Option<String>,
    /// The address by which the other nodes and the clients reach the node.
    pub address: String,
    /// The address by which the control node reaches the node; by default `address`.
    #[serde(default)]
    pub ssh_address: Option<String>,
    /// Login settings that differ from the plan's `ssh`.
    #[serde(default)]
    pub ssh: Option<SshSettings>,
}

impl NodeEntry {
    /// The long form.
    pub fn settings(&self) -> NodeSettings {
        match self {
            NodeEntry::Address(address) => NodeSettings { name: None, address: address.clone(), ssh_address: None, ssh: None },
            NodeEntry::Set(settings) => settings.as_ref().clone(),
        }
    }
}

/// Reads a string as the short form and a map as the long one.
struct TextOr<T> {
    expecting: &'static str,
    text: fn(&str) -> T,
    map: std::marker::PhantomData<T>,
}

trait FromMap<'de>: Sized {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error>;
}

impl<'de, T: FromMap<'de>> Visitor<'de> for TextOr<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        Ok((self.text)(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::from_map(map)
    }
}

macro_rules! text_or_map {
    ($type:ty, $expecting:literal, $text:expr, $map:ty => $from:expr) => {
        impl<'de> FromMap<'de> for $type {
            fn from_map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
                <$map>::deserialize(MapAccessDeserializer::new(map)).map($from)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(TextOr { expecting: $expecting, text: $text, map: std::marker::PhantomData })
            }
        }
    };
}

text_or_map!(SystemChoice, "a system's name or file, or a map with `name` and `options`", |text| SystemChoice::Named(text.to_owned()), SystemSettings => SystemChoice::Set);
text_or_map!(NodeEntry, "a node's address, or a map with `name` and `address`", |text| NodeEntry::Address(text.to_owned()), NodeSettings => |set| NodeEntry::Set(Box::new(set)));

/// The schema of a workload, with the names that may stand alone.
pub(super) fn workload_schema(generator: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = elenchus_workloads::ALL.iter().map(|entry| entry.name).collect();
    json_schema!({ "x-list": "`elenchus workloads` lists all workloads", "anyOf": [{ "type": "string", "enum": names, "title": "the name of a workload" }, generator.subschema_for::<WorkloadSpec>()] })
}

/// Reads a workload; a name alone is that with no settings.
pub(super) fn workload<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WorkloadSpec, D::Error> {
    deserializer.deserialize_any(WorkloadVisitor)
}

struct WorkloadVisitor;

impl<'de> Visitor<'de> for WorkloadVisitor {
    type Value = WorkloadSpec;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a workload's name, or its name with settings")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<WorkloadSpec, E> {
        let settings = MapDeserializer::new(std::iter::empty::<(&str, &str)>());
        self.visit_map(MapDeserializer::new(std::iter::once((text, settings))))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WorkloadSpec, A::Error> {
        WorkloadSpec::deserialize(MapAccessDeserializer::new(map))
    }
}
