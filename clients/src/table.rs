//! The table of clients: what each says of itself, and the macro that makes all lists of clients from one line each.

use std::sync::Arc;

use elenchus_core::Client;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ClientSpec;

/// The settings of a client in a plan, with its properties.
///
/// ```
/// use elenchus_clients::{ClientSpec, EtcdSettings, Settings as _};
///
/// // As `client: {etcd: {port: 2389}}` in a plan.
/// let client = EtcdSettings { port: 2389, ..EtcdSettings::default() }.build();
/// assert!(!client.offers().is_empty());
/// ```
pub trait Settings: Clone + Default + Serialize + DeserializeOwned + JsonSchema {
    /// The value of `client` in a plan, as an example.
    const EXAMPLE: &'static str;

    /// Whether it can log in with `credentials`.
    const ACCEPTS_CREDENTIALS: bool = false;

    /// Whether it can encrypt with `tls`.
    const ACCEPTS_TLS: bool = false;

    /// How the conformance suite starts a real server.
    const TEST_SERVER: TestServer;

    /// The client.
    fn build(&self) -> Arc<dyn Client>;

    /// The same settings for a server on another port; none where the client has no server.
    fn on_port(self, port: u16) -> Option<Self>;
}

/// How a conformance suite starts a server for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestServer {
    /// No server is needed: the client replies by itself.
    InProcess,
    /// By a command for `sh`, which must not return. `{port}` is the port to serve clients on, `{peer_port}` another free port, `{dir}` an empty
    /// directory, `{elenchus}` the Elenchus binary.
    Command {
        /// The program that must be installed, and the Debian package that has it.
        program: &'static str,
        /// The Debian package that brings the program; empty where nothing need be installed.
        package: &'static str,
        /// The command.
        command: &'static str,
    },
}

/// A row of the table of clients.
pub struct ClientEntry {
    /// Its name in plans.
    pub name: &'static str,
    /// Its protocol, in a phrase.
    pub about: &'static str,
    /// The value of `client` in a plan, as an example.
    pub example: &'static str,
    /// Whether it can log in with `credentials`.
    pub accepts_credentials: bool,
    /// Whether it can encrypt with `tls`.
    pub accepts_tls: bool,
    /// How the conformance suite starts a real server.
    pub test_server: TestServer,
    /// The client with its default settings.
    pub default: fn() -> ClientSpec,
    /// The client for a server on a port; none where it has no server.
    pub on_port: fn(u16) -> Option<ClientSpec>,
    /// The JSON Schema of its settings.
    pub schema: fn() -> schemars::Schema,
}

/// Makes from each line `module: Variant(SettingsType) = "name", "its protocol";` the module, the variant of [`ClientSpec`] and the row of `ALL`.
macro_rules! clients {
    ($($module:ident: $variant:ident($settings:ident) = $name:literal, $about:literal;)+) => {
        $(pub mod $module;)+
        $(pub use $module::$settings;)+

        /// The client of a plan: its name, and its settings.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum ClientSpec {
            $(#[doc = $about] #[serde(rename = $name)] $variant($settings),)+
        }

        /// Every client.
        pub const ALL: &[ClientEntry] = &[$(ClientEntry {
            name: $name,
            about: $about,
            example: <$settings as Settings>::EXAMPLE,
            accepts_credentials: <$settings as Settings>::ACCEPTS_CREDENTIALS,
            accepts_tls: <$settings as Settings>::ACCEPTS_TLS,
            test_server: <$settings as Settings>::TEST_SERVER,
            default: || ClientSpec::$variant(<$settings>::default()),
            on_port: |port| <$settings>::default().on_port(port).map(ClientSpec::$variant),
            schema: || schemars::schema_for!($settings),
        }),+];

        impl ClientSpec {
            /// Its row of the table.
            pub fn entry(&self) -> &'static ClientEntry {
                let name = match self { $(ClientSpec::$variant(_) => $name,)+ };
                ClientSpec::find(name).unwrap_or(&ALL[0])
            }

            /// The row of this name.
            pub fn find(name: &str) -> Option<&'static ClientEntry> {
                ALL.iter().find(|entry| entry.name == name)
            }

            /// A client with its default settings, by name.
            pub fn named(name: &str) -> Option<ClientSpec> {
                ClientSpec::find(name).map(|entry| (entry.default)())
            }

            /// Reads the settings of the client of this name: the next value of a map. None where no client has the name; the value is not read then.
            ///
            /// # Errors
            /// When the value is not such settings.
            pub fn read<'de, A: serde::de::MapAccess<'de>>(name: &str, map: &mut A) -> Result<Option<ClientSpec>, A::Error> {
                match name {
                    $($name => map.next_value().map(ClientSpec::$variant).map(Some),)+
                    _ => Ok(None),
                }
            }

            /// The client itself.
            pub fn build(&self) -> std::sync::Arc<dyn elenchus_core::Client> {
                match self { $(ClientSpec::$variant(settings) => settings.build(),)+ }
            }
        }
    };
}

pub(crate) use clients;
