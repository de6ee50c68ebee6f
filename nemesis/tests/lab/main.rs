//! Every fault in the lab, over SSH: its effect is measured from outside, while it is in force and afterwards.
//!
//! Its own `main`, because the lab starts this program again inside its namespaces. Words on the command line choose among the tests.

mod busybox;
mod clocks;
mod controller;
mod disk;
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
mod scenarios;
mod scene;
mod schedules;
mod shell;

use std::pin::Pin;

use elenchus_control::lab::{self, Entered, LabOptions};

use scene::Scene;

type Test = fn(&Scene) -> Pin<Box<dyn Future<Output = ()> + '_>>;

/// A row for each test: its name, and itself.
macro_rules! tests {
    ($($module:ident::$name:ident,)*) => {
        const TESTS: &[(&str, Test)] = &[$((concat!(stringify!($module), "::", stringify!($name)), |scene| Box::pin($module::$name(scene)))),*];
    };
}

tests! {
    network::a_partition_is_silent_both_ways,
    network::a_one_way_partition_is_heard_one_way,
    network::every_shape_cuts_as_many_links_as_it_should,
    network::who_is_not_heard_hears,
    network::ipv6_is_cut_as_well,
    network::isolation_has_its_directions_and_answers,
    network::routing_does_as_well,
    network::a_port_is_cut_and_others_are_not,
    network::a_cut_may_refuse_or_reset,
    network::connections_may_be_left,
    network::connections_may_be_severed,
    network::a_node_may_answer_nothing_but_ssh,
    network::clients_may_be_cut_off_alone,
    network::names_may_not_be_found,
    network::packets_are_lost_in_their_share,
    network::a_link_is_as_slow_as_its_rate,
    links::what_is_sent_is_late_one_way_and_to_peers_alone,
    links::packets_are_lost_in_bursts,
    links::packets_are_doubled,
    links::packets_overtake_each_other,
    links::packets_are_corrupt,
    links::a_late_link_has_its_rate,
    links::large_packets_and_streams_come_whole,
    links::ipv6_is_late_as_well,
    links::traffic_flows_when_the_helper_is_killed,
    links::what_nobody_can_do_is_said_before_the_run,
    network::nftables_do_as_well,
    proxies::replies_are_lost_though_requests_arrive,
    proxies::messages_break_off_in_the_middle,
    proxies::replies_stall_or_are_late,
    proxies::requests_come_twice,
    proxies::connections_are_left_or_severed,
    proxies::replies_are_altered_and_can_be_read,
    proxies::clients_and_nodes_are_told_apart,
    proxies::nftables_do_as_well,
    proxies::ipv6_goes_through_as_well,
    proxies::nobody_misses_a_proxy_that_is_killed,
    proxies::a_proxy_that_is_killed_with_all_its_kin_is_healed,
    proxies::ssh_is_never_in_between,
    processes::the_killed_are_gone_and_come_back,
    processes::the_paused_do_nothing,
    processes::the_frozen_have_no_children_that_escape,
    processes::overlapping_pauses_end_with_the_last,
    processes::a_crash_loop_starts_it_again_and_again,
    processes::what_ends_in_order_is_asked_first,
    processes::all_are_restarted_but_never_two_at_once,
    resources::a_busy_node_has_busy_processes,
    resources::memory_is_held,
    resources::a_full_disk_takes_no_more,
    resources::files_cannot_be_opened,
    resources::a_throttled_server_has_its_share,
    resources::who_takes_too_much_memory_is_killed,
    resources::no_thread_can_be_started,
    resources::limits_end_each_by_itself,
    resources::a_disk_is_as_slow_as_it_is_said_to_be,
    disk::bits_are_flipped_where_the_seed_says,
    disk::ends_are_lost_and_stay_lost,
    disk::what_is_rolled_back_is_as_it_was,
    mounted::what_was_not_synced_is_lost_with_the_power,
    mounted::torn_writes_leave_a_mixture,
    mounted::chosen_operations_fail_on_chosen_files,
    mounted::operations_take_longer,
    mounted::other_bits_are_read_than_were_written,
    mounted::a_disk_whose_server_is_killed_is_not_left_dead,
    mounted::a_pattern_of_the_system_does_not_strike_the_disk,
    mounted::what_is_not_to_be_mounted_over_is_said_before_the_run,
    postgres::what_it_said_is_committed_survives_unless_it_does_not_sync,
    postgres::its_clock_is_wrong_in_all_its_processes,
    postgres::values_are_altered_on_their_way,
    clocks::the_systems_clock_is_wrong_and_nobody_elses,
    clocks::a_system_that_comes_back_has_the_same_clock,
    clocks::the_machines_clock_is_never_set_in_a_lab,
    clocks::a_node_may_be_in_another_time_zone,
    clocks::who_heals_later_brings_the_helper,
    clocks::clocks_may_be_fast_or_frozen,
    scenarios::who_only_sends_is_heard,
    scenarios::health_checks_are_answered_and_nothing_else,
    scenarios::late_wakers_hear_late,
    scenarios::a_link_comes_and_goes,
    scenarios::a_link_that_comes_back_is_slow_at_first,
    scenarios::one_after_the_other_is_paused,
    scenarios::all_that_are_cut_off_come_back,
    members::a_member_leaves_and_comes_back,
    schedules::whoever_is_primary_anew_is_struck,
    shell::commands_break_and_heal,
    shell::what_is_not_verified_is_said,
    shell::what_is_still_being_injected_is_ended_before_it_is_healed,
    shell::what_is_missing_is_said_before_the_run,
    busybox::all_is_made_and_healed_with_busybox_as_well,
    machines::a_node_that_is_restarted_has_its_disk_and_nothing_else,
    machines::whatever_is_in_force_when_a_node_restarts_is_healed,
    machines::who_is_restarted_in_order_is_asked_first,
    machines::a_node_that_is_off_is_silent_until_it_is_switched_on,
    machines::who_was_off_when_the_control_node_died_is_switched_on_by_the_ledger,
    machines::who_was_switched_off_in_order_is_switched_on_by_the_plans_own_command,
    machines::who_cannot_be_switched_on_is_said_before_the_run,
    controller::a_silent_control_node_is_not_missed,
}

fn main() {
    lab::main_hook();
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("probe") => return probe::main(&words[1..]),
        Some("control") => return controller::main(&words[1..]),
        // The test harness' own flags, like `--list`, ask for what is not here.
        Some(flag) if flag.starts_with("--list") => return,
        _ => {}
    }
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    if chosen.is_empty() && !lab::is_inside() && nix::unistd::geteuid().is_root() {
        rootless::again();
    }
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
        for (name, test) in TESTS {
            if chosen.is_empty() || chosen.iter().any(|word| name.contains(word.as_str())) {
                println!("{name} …");
                test(&scene).await;
                scene.assert_whole().await;
            }
        }
    });
    println!("nemesis in the lab: all is well");
    // A lab's init goes with its last process; nothing of it is to be waited for.
    drop(lab);
    std::process::exit(0);
}
