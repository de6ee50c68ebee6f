//! The definitions of systems that come with Elenchus, as text: how each is installed, configured, started, stopped and inspected.
//!
//! A definition is the file `<name>.yaml` beside this crate's sources; `elenchus-control` reads and carries it out. Adding a system is that file and
//! one line in the table below.

/// A definition that comes with Elenchus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemEntry {
    /// Its name in plans.
    pub name: &'static str,
    /// The definition, in YAML.
    pub definition: &'static str,
}

macro_rules! systems {
    ($($name:literal,)+) => {
        /// Every system, by name.
        pub const ALL: &[SystemEntry] =
            &[$(SystemEntry { name: $name, definition: include_str!(concat!("../", $name, ".yaml")) }),+];
    };
}

systems! {
    "etcd",
    "specimen",
}

/// The system of this name.
pub fn find(name: &str) -> Option<&'static SystemEntry> {
    ALL.iter().find(|entry| entry.name == name)
}
