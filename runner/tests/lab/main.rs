//! Whole runs, through the binary, in the lab: the specimen with its defects and without, a real etcd, and runs that are cut off.

mod ends;
mod etcd;
mod heals;
mod specimen;
mod trial;
