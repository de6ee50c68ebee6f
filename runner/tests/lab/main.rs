//! Whole runs of the binary in the lab: the specimen with and without defects, a real etcd, runs that do not end on time, and healing.

mod ends;
mod etcd;
mod heals;
mod specimen;
mod trial;
