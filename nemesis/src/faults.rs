//! The faults, one per file, and their registration.
//!
//! To add a fault, write `faults/<kind>/<module>.rs` and add its line to `all_faults`: `key: module::Type`. That declares the module, adds the key to plans, their
//! schema and the documentation, and runs the conformance suite (`faults/tests.rs`) on it.

pub(crate) mod limiting;
#[cfg(test)]
mod tests;

/// Calls a macro with every fault: its kind (a folder), its key in a plan, and `module::Type`.
///
/// The order is that of the documentation.
macro_rules! all_faults {
    ($callback:ident) => {
        $callback! {
            /// Faults of the network between nodes, and between clients and nodes.
            network {
                partition: partition::Partition,
                isolate: isolate::Isolate,
                dns: dns::Dns,
                loss: loss::Loss,
                link: link::Link,
                sever: reset_connections::ResetConnections,
                proxy: proxy::Proxy,
            }
            /// Faults of the system's processes.
            process {
                kill: kill::Kill,
                pause: pause::Pause,
                crash_loop: crash_loop::CrashLoop,
                restart: restart::Restart,
                rolling: rolling_restart::RollingRestart,
            }
            /// Shortages: processors, memory, disk space, and limits of the kernel.
            resource {
                cpu: cpu::Cpu,
                memory: memory::Memory,
                fill_disk: fill_disk::FillDisk,
                descriptors: descriptors::Descriptors,
                throttle: throttle::Throttle,
                oom: oom::Oom,
                pids: pids::Pids,
                io: io::Io,
            }
            /// Faults of disks and of the files on them.
            storage {
                damage: damage::Damage,
                rollback: rollback::Rollback,
                power_failure: power_failure::PowerFailure,
                disk: disk_errors::DiskErrors,
                disk_flips: disk_flips::DiskFlips,
            }
            /// Faults of whole machines.
            machine {
                reboot: reboot::Reboot,
                power_off: power_off::PowerOff,
            }
            /// Faults of clocks and time zones.
            time {
                clock: clock::Clock,
                timezone: timezone::Timezone,
            }
            /// Faults by the system's own administrative commands.
            system {
                membership: membership::Membership,
            }
            /// Faults composed of others.
            composed {
                scenario: scenario::Scenario,
            }
            /// Faults by commands of the plan.
            custom {
                shell: shell::Shell,
            }
        }
    };
}
pub(crate) use all_faults;

/// Declares the modules, the list of keys, and a default instance of each fault.
macro_rules! declare {
    ($($(#[$doc:meta])* $kind:ident { $($key:ident: $module:ident::$fault:ident,)* })*) => {
        $(
            $(#[$doc])*
            pub mod $kind {
                $(pub mod $module;)*
            }
        )*

        /// The keys of all faults in a plan.
        pub const NAMES: &[&str] = &[$($(stringify!($key)),*),*];

        /// Returns one of each fault with its default settings.
        pub(crate) fn defaults() -> Vec<Box<dyn crate::Fault>> {
            vec![$($(Box::new($kind::$module::$fault::default())),*),*]
        }
    };
}
all_faults!(declare);
