//! One plan, a real cluster, a verdict.

pub mod conductor;
pub mod store;
