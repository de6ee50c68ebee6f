//! One plan, a real cluster, a verdict.

pub mod cli;
pub mod conductor;
pub mod plan;
pub mod store;
