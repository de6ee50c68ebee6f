//! The table of workloads: what each says of itself, and the macro that makes all lists of workloads from one line each.

use std::sync::Arc;

use elenchus_core::Workload;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::WorkloadSpec;

/// The settings of a workload in a plan.
pub trait Settings: Clone + Default + Serialize + DeserializeOwned + JsonSchema {
    /// The value of `workload` in a plan, as an example.
    const EXAMPLE: &'static str;

    /// The workload.
    ///
    /// # Errors
    /// When a setting is not valid; the message names it.
    fn build(&self) -> Result<Arc<dyn Workload>, String>;
}

/// A row of the table of workloads.
pub struct WorkloadEntry {
    /// Its name in plans.
    pub name: &'static str,
    /// Its operations and its checks, in a phrase.
    pub about: &'static str,
    /// The value of `workload` in a plan, as an example.
    pub example: &'static str,
    /// The workload with its default settings.
    pub default: fn() -> WorkloadSpec,
    /// The JSON Schema of its settings.
    pub schema: fn() -> schemars::Schema,
}

/// Makes from each line `module: Variant(SettingsType) = "name", "what it does";` the module, the variant of [`WorkloadSpec`] and the row of `ALL`.
macro_rules! workloads {
    ($($module:ident: $variant:ident($settings:ident) = $name:literal, $about:literal;)+) => {
        $(pub mod $module;)+
        $(pub use $module::$settings;)+

        /// The workload of a plan: its name, and its settings.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum WorkloadSpec {
            $(#[doc = $about] #[serde(rename = $name)] $variant($settings),)+
        }

        /// Every workload.
        pub const ALL: &[WorkloadEntry] = &[$(WorkloadEntry {
            name: $name,
            about: $about,
            example: <$settings as Settings>::EXAMPLE,
            default: || WorkloadSpec::$variant(<$settings>::default()),
            schema: || schemars::schema_for!($settings),
        }),+];

        impl WorkloadSpec {
            /// Its name.
            pub fn name(&self) -> &'static str {
                match self { $(WorkloadSpec::$variant(_) => $name,)+ }
            }

            /// A workload with its default settings, by name.
            pub fn named(name: &str) -> Option<WorkloadSpec> {
                ALL.iter().find(|entry| entry.name == name).map(|entry| (entry.default)())
            }

            /// The workload itself.
            ///
            /// # Errors
            /// When a setting is not valid; the message names it.
            pub fn build(&self) -> Result<std::sync::Arc<dyn elenchus_core::Workload>, String> {
                match self { $(WorkloadSpec::$variant(settings) => settings.build(),)+ }
            }
        }
    };
}

pub(crate) use workloads;

/// The most keys that may be in use at a time: they are kept in memory.
pub(crate) const KEYS_MAX: u32 = 100_000;

/// The message for a number of keys out of range.
pub(crate) const KEYS_RANGE: &str = "`keys` must be from 1 to 100000";

/// Fails with a message if a setting is not valid.
pub(crate) fn must(holds: bool, sentence: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(sentence.to_owned()) }
}
