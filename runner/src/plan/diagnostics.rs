//! Where each value of a plan stands in its text, and error messages that show that place.
//!
//! | module | contents |
//! | --- | --- |
//! | `spans` | the byte range of every key and value of a YAML text |
//! | `origin` | a text with its spans and the changes of `--set`; builds errors at a path such as `nemesis.0.every` |
//! | `changes` | `--set PATH=VALUE` |
//! | `explain` | typed reading, and messages for values that do not fit the schema |
//! | `syntax` | the YAML parser, and messages for texts that are not YAML |
//! | `secrets` | hides passwords |
//! | `spelling` | snake_case and kebab-case accepted alike |
//! | `error` | [`PlanError`]: message, excerpt and advice |

mod changes;
mod error;
mod explain;
mod origin;
mod secrets;
mod spans;
pub(super) mod spelling;
mod syntax;

pub use error::PlanError;

pub(super) use changes::Change;
pub use changes::change_without_secrets;
pub(super) use explain::{did_you_mean, list, read};
pub(super) use origin::Origin;
pub(super) use secrets::is_secret;
