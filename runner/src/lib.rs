//! One plan, a real cluster, a verdict.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`plan`] | YAML to a plan in which every name was found |
//! | [`run`] | a run from its beginning to its verdict |
//! | [`conductor`] | generator to workers to history |
//! | [`doctor`] | what is missing before a plan can run |
//! | [`heal`] | what a run left broken, undone |
//! | [`judge`] | history to findings |
//! | [`check`] | a history from anywhere, judged alone |
//! | [`simulate`] | a history of a simulated store, written |
//! | [`lab`] | a lab that stays up in the background |
//! | [`progress`] | what a person sees meanwhile |
//! | [`report`] | findings to pages, charts, JUnit, JSON |
//! | [`stdout`] | what was asked for, printed |
//! | [`store`] | where all of it is kept |

pub mod check;
pub mod cli;
pub mod clocks;
pub mod conductor;
pub mod doctor;
pub mod heal;
pub mod judge;
pub mod lab;
pub mod plan;
pub mod progress;
pub mod report;
pub mod run;
pub mod simulate;
pub mod stdout;
pub mod store;
