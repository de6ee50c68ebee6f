//! Tests of every fault in a lab, over SSH: its effect is measured from outside while it is active and after it was healed.
//!
//! They have a `main` of their own, because the lab re-executes this program inside its namespaces. Words on the command line select tests by name.
//!
//! | variable | effect |
//! | --- | --- |
//! | `ELENCHUS_TEST_LABS` | how many labs run side by side (default: see `labs.rs`) |
//! | `ELENCHUS_TEST_ALL` | `1` runs every case of long matrices, not a sample (see `sample.rs`) |
//! | `ELENCHUS_SEED` | the seed of samples and of the controller's test |

mod busybox;
mod clocks;
mod conditions;
mod controller;
mod disk;
mod labs;
mod links;
mod machines;
mod members;
mod mounted;
mod network;
mod postgres;
mod probe;
mod processes;
mod proxies;
mod resources;
mod rootless;
mod sample;
mod scenarios;
mod scene;
mod schedules;
mod shell;

use std::pin::Pin;
use std::time::Instant;

use elenchus_control::lab::{self, Entered, LabOptions};

use labs::Queue;
use scene::Scene;

type Test = fn(&Scene) -> Pin<Box<dyn Future<Output = ()> + '_>>;

/// A row per test: its name and its function.
macro_rules! tests {
    ($($module:ident::$name:ident,)*) => {
        const TESTS: &[(&str, Test)] = &[$((concat!(stringify!($module), "::", stringify!($name)), |scene| Box::pin($module::$name(scene)))),*];
    };
}

// The longest tests first, and those that exclude each other (`labs.rs`), so that none of them is left for a single lab at the end.
tests! {
    controller::nodes_heal_themselves_when_the_control_node_is_killed,
    busybox::faults_work_with_busybox,
    processes::the_freezer_stops_daemonized_children,
    resources::a_throttled_server_gets_its_cpu_share,
    resources::exceeding_the_memory_limit_kills,
    resources::pid_limits_prevent_new_threads,
    resources::limits_are_healed_independently,
    resources::io_limits_slow_the_disk,
    scenarios::slow_start_raises_the_rate,
    scenarios::swizzle_cuts_all_nodes_off_and_back,
    members::members_leave_and_rejoin,
    machines::active_faults_are_healed_after_a_reboot,
    scenarios::late_wakers_wake_isolated,
    scenarios::links_flap,
    postgres::commits_survive_power_failures_only_with_fsync,
    machines::powered_off_nodes_are_silent,
    network::partitions_cut_both_directions,
    network::one_way_partitions_cut_one_direction,
    network::every_shape_cuts_the_expected_links,
    network::outbound_partitions_let_inbound_packets_pass,
    network::ipv6_is_cut_too,
    network::isolation_supports_directions_and_rejections,
    network::partitions_fall_back_to_routing_rules,
    network::partitions_can_be_limited_to_ports,
    network::partitions_can_reject_or_reset,
    network::existing_connections_can_be_kept,
    network::connections_can_be_reset,
    network::isolated_nodes_answer_only_ssh,
    network::only_clients_can_be_cut_off,
    network::dns_lookups_fail,
    network::packets_are_lost_at_the_given_rate,
    network::link_rates_limit_throughput,
    links::latency_applies_to_packets_for_the_given_peers,
    links::packets_are_lost_in_bursts,
    links::packets_are_duplicated,
    links::packets_are_reordered,
    links::packets_are_corrupted,
    links::latency_and_rate_combine,
    links::large_packets_and_streams_arrive_complete,
    links::ipv6_is_delayed_too,
    links::traffic_flows_when_the_agent_is_killed,
    links::unsupported_links_are_refused_before_the_run,
    network::nftables_replaces_iptables,
    proxies::replies_are_lost_after_requests_arrived,
    proxies::messages_are_cut_off,
    proxies::replies_stall_or_are_delayed,
    proxies::requests_are_replayed,
    proxies::connections_are_kept_or_reset,
    proxies::altered_replies_stay_well_formed,
    proxies::clients_and_nodes_are_distinguished,
    proxies::nftables_replaces_iptables,
    proxies::ipv6_is_proxied_too,
    proxies::traffic_flows_when_the_proxy_is_killed,
    proxies::a_proxy_killed_with_its_session_is_healed,
    proxies::ssh_is_never_proxied,
    processes::killed_processes_are_restarted,
    processes::paused_processes_do_not_answer,
    processes::overlapping_pauses_end_with_the_last,
    processes::a_crash_loop_restarts_repeatedly,
    processes::restarted_systems_are_down_until_healed,
    processes::rolling_restarts_take_one_node_down_at_a_time,
    resources::cpu_load_uses_processor_time,
    resources::memory_is_allocated,
    resources::a_full_disk_rejects_writes,
    resources::descriptor_limits_prevent_opening,
    disk::bits_are_flipped,
    disk::truncation_zeroing_and_deletion_are_permanent,
    disk::a_rollback_restores_an_older_copy,
    mounted::unsynced_writes_are_lost_on_power_failure,
    mounted::torn_writes_mix_old_and_new_sectors,
    mounted::chosen_operations_fail_on_chosen_files,
    mounted::operations_are_delayed,
    mounted::reads_return_flipped_bits,
    mounted::a_killed_file_system_is_unmounted,
    mounted::process_patterns_do_not_match_the_file_system,
    mounted::unsuitable_directories_are_refused_before_the_run,
    postgres::clocks_change_in_all_backends,
    postgres::altered_rows_stay_well_formed,
    clocks::only_the_systems_clock_changes,
    clocks::restarted_systems_keep_the_changed_clock,
    clocks::the_machines_clock_is_never_set_in_a_lab,
    clocks::time_zones_can_be_changed,
    clocks::a_later_heal_uploads_the_agent,
    clocks::clocks_can_drift_freeze_and_strobe,
    scenarios::send_only_nodes_are_heard,
    scenarios::only_health_checks_are_answered,
    scenarios::rolling_pauses_stop_one_node_at_a_time,
    schedules::a_new_primary_is_targeted,
    shell::commands_inject_and_heal,
    shell::failed_verifications_are_reported,
    shell::unfinished_injections_are_killed_before_the_heal,
    shell::missing_requirements_are_reported_before_the_run,
    machines::rebooted_nodes_keep_only_their_disk,
    machines::orderly_reboots_terminate_processes_first,
    machines::nodes_left_off_are_powered_on_by_heal,
    machines::plans_can_define_the_power_on_command,
    machines::a_missing_power_on_command_is_reported_before_the_run,
}

fn main() {
    lab::main_hook();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("probe") => return probe::main(&words[1..]),
        Some("control") => return controller::main(&words[1..]),
        // `cargo nextest` and IDEs list tests with this flag; this harness has no list for them.
        Some(flag) if flag.starts_with("--list") => return,
        _ => {}
    }
    let selected: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let is_selected = |name: &str| selected.is_empty() || selected.iter().any(|word| name.contains(word.as_str()));
    let names: Vec<&str> = TESTS.iter().map(|(name, _)| *name).filter(|name| is_selected(name)).collect();
    match Queue::of_this_lab() {
        None => labs::run_side_by_side(&names, selected.is_empty() && nix::unistd::geteuid().is_root()),
        Some(queue) => run_lab(&queue, &names),
    }
}

/// Runs tests from the queue in a lab of this process' own.
fn run_lab(queue: &Queue, names: &[&str]) {
    let net = match lab::enter() {
        Ok(Entered::Outer(status)) => std::process::exit(status),
        Ok(Entered::Inner(net)) => net,
        Err(error) => {
            println!("skipped: {error}");
            return;
        }
    };
    let lab = net.start(&LabOptions { nodes: 3, ..LabOptions::default() }).expect("a lab");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let scene = Scene::new(&lab).await;
        while let Some(claim) = queue.next(names).await {
            let (name, test) = TESTS.iter().find(|(name, _)| *name == claim.name).expect("a test of the table");
            println!("{name} …");
            let began = Instant::now();
            if let Some(missing) = conditions::missing(&scene, name).await {
                println!("skipped: {name}: {missing}");
                continue;
            }
            test(&scene).await;
            scene.assert_clean().await;
            println!("{name} ok, {:.1} s", began.elapsed().as_secs_f64());
        }
    });
    println!("{}", labs::PASSED);
    // The lab's init ends with its last process, so there is nothing to wait for.
    drop(lab);
    std::process::exit(0);
}
