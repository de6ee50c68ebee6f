//! The `elenchus` program as a library: plans, runs, verdicts, reports, and the command line.
//!
//! | module | contents |
//! | --- | --- |
//! | [`cli`] | the command line: one file per command |
//! | [`plan`] | YAML to a plan whose names are all looked up; error messages with excerpts |
//! | [`run`] | a run, from reaching the nodes to the verdict |
//! | [`conductor`] | generator, workers and recorder: the clients of a run |
//! | [`clock_sample`] | readings of the nodes' clocks |
//! | [`events`] | the events of a run, and their delivery to listeners |
//! | [`judge`] | history to findings |
//! | [`report`] | findings to terminal text, JSON, JUnit, charts and the HTML report |
//! | [`store`] | the directories in which runs are kept |

pub mod cli;
pub mod clock_sample;
pub mod conductor;
pub mod events;
pub mod judge;
pub mod plan;
pub mod report;
pub mod run;
pub mod store;
