//! The scenarios that hold on every combination of a store and a bus: the list, and the tests that run
//! them. On SQLite and its log each is a test of its own; where servers are needed they are started once
//! for all scenarios, which run side by side, each on a database and an account of its own.

use std::sync::Arc;

use conformance::{Scenario, run_side_by_side};
use testservers::{Missing, skip};

use super::place::{Place, Servers};

/// How many scenarios run at the same time on the same servers.
const AT_ONCE: usize = 16;

/// Lists scenarios by their functions, with where the promise is made.
macro_rules! scenarios {
    ($($file:ident::$name:ident $rule:literal;)+) => {
        vec![$(Scenario {
            name: concat!(stringify!($file), "::", stringify!($name)),
            rule: $rule,
            run: |place: Place| Box::pin(async {
                super::$file::$name(place).await;
                Ok(())
            }),
        }),+]
    };
}

/// Those of every combination; on SQLite and its log each becomes a test.
macro_rules! everywhere {
    ($($file:ident::$name:ident $rule:literal;)+) => {
        fn everywhere() -> Vec<Scenario<Place>> {
            scenarios! { $($file::$name $rule;)+ }
        }

        mod sqlite_and_its_log {
            $(
                #[tokio::test]
                async fn $name() {
                    crate::engine::$file::$name(crate::engine::place::Place::embedded()).await;
                }
            )+
        }
    };
}

everywhere! {
    crashes::what_kills_its_process_each_time_is_given_up_and_no_innocent_is "11";
    crashes::a_process_that_is_killed_in_mid_stream_loses_nothing_and_doubles_nothing "9, 10, 12";
    crashes::a_timer_that_was_set_before_its_process_was_killed_fires_once "30";
    conservation::what_was_published_is_handled_parked_or_dead_under_random_faults "all, dead-letter conservation";
    saga::a_saga_whose_process_is_killed_goes_on_with_the_same_call "26";
    retrying::an_outage_uses_up_no_attempt_and_kills_nothing "14";
    retrying::retries_come_one_two_and_four_seconds_after_each_failure_and_then_no_more "12";
    retrying::a_service_with_waits_of_its_own_is_given_one_delivery_more_than_waits "12, 13";
    retrying::a_dead_letter_that_is_retried_goes_to_the_consumer_that_failed_alone "15";
    unreliable::nothing_is_acknowledged_before_its_commit "9";
    unreliable::what_was_never_acknowledged_comes_again_and_takes_no_effect_again "9, 10";
    unreliable::a_commit_whose_answer_was_lost_is_made_once "25";
    unreliable::a_commit_that_was_not_written_is_made_again "14";
    replicas::two_writers_at_once_lose_nothing_and_each_keeps_its_order "3";
    saga::a_deadline_that_passed_while_nothing_ran_is_met_after_the_start "30";
    saga::a_saga_goes_through_its_steps "26";
    saga::silence_past_the_deadline_is_unknown_and_undoes_what_was_done "27";
    saga::a_call_without_an_answer_before_the_stop_is_made_again_after_it "17, 26";
    saga::a_saga_has_one_timer_with_its_next_deadline_and_none_once_it_has_ended "30";
    saga::a_call_is_not_made_where_the_commit_that_records_it_is_not_written "26";
    saga::once_the_engine_has_shut_down_no_call_is_under_way "17";
    saga::a_timer_whose_row_was_moved_fires_when_the_row_says "30";
    delivery::every_event_takes_its_effect_once_and_in_order "9, 10";
    delivery::a_failing_key_blocks_only_itself_and_keeps_its_order "12, 13";
    delivery::a_panic_counts_and_after_its_retries_the_letter_is_dead_and_its_key_waits "11, 12, 15";
    delivery::what_can_never_succeed_dies_at_once_and_discarding_it_lets_the_rest_flow "14, 15";
    delivery::a_state_that_cannot_be_read_holds_its_key_alone "13, 23";
    delivery::parked_deliveries_and_dead_letters_survive_a_restart "12, 15";
    delivery::a_handler_that_fails_half_way_leaves_nothing_of_what_it_did "1, 9";
    delivery::the_rank_of_a_delivery_never_moves_it_before_an_earlier_one_of_its_key "13";
    delivery::what_cannot_be_read_dies_at_once "14";
    delivery::an_event_newer_than_the_program_is_held_and_not_dropped "23";
    streams::a_snapshot_of_another_shape_is_replayed_from_all_events "23";
    streams::a_projection_finds_what_nobody_told_it_of "8";
    projection::a_rebuild_while_it_serves_runs_no_reaction_and_serves_where_it_is_the_same "20";
    projection::a_rebuild_that_differs_serves_only_where_that_is_accepted "20";
    projection::a_rebuild_is_rolled_back_without_missing_what_came_since "20, 21";
    projection::a_rebuild_that_was_asked_for_is_done_after_a_restart "20";
    loads::a_state_that_cannot_be_read_stops_those_alone_that_asked_for_it "13, 23";
    durability::a_repeated_request_gets_the_first_answer_and_another_body_is_refused "10, 25";
    durability::what_was_decided_on_something_that_has_changed_is_decided_again "14, 19";
    fit::a_command_that_makes_an_oversize_event_is_refused_and_nothing_is_stored "7";
    fit::a_command_that_makes_an_oversize_private_event_is_refused_and_nothing_is_stored "7";
    fit::a_delivery_that_makes_an_oversize_event_dies_at_once_and_the_others_flow "7, 13";
}

/// What there is only where there are servers.
fn on_servers() -> Vec<Scenario<Place>> {
    scenarios! {
        replicas::two_replicas_share_the_partitions_and_one_goes_on_alone_in_order "2, 13, 18";
        replicas::a_replica_that_stood_still_past_its_leases_finishes_nothing_when_it_goes_on "2";
        replicas::a_writer_that_began_first_and_commits_last_is_passed_by_nobody "3";
        replicas::commits_go_on_while_the_broker_is_away_and_then_the_outbox_drains_in_order "2, 4";
        replicas::a_broker_whose_answers_are_lost_doubles_nothing "4, 10";
        replicas::a_connection_that_is_cut_again_and_again_loses_nothing "4, 9";
        unreliable::what_was_published_and_not_confirmed_takes_effect_once "4, 6";
        unreliable::what_was_not_published_is_published_later_in_its_order "2, 4";
        unreliable::what_lies_at_the_broker_twice_takes_effect_once "6, 10";
    }
}

/// What does something to the servers: one after another, once the others have ended.
fn alone() -> Vec<Scenario<Place>> {
    scenarios! {
        outages::a_broker_that_is_killed_in_mid_stream_loses_nothing_and_doubles_nothing "4, 9, 10";
        outages::a_broker_that_loses_its_storage_is_made_again_and_filled_while_the_process_runs "5, 6";
        outages::a_database_whose_power_fails_in_mid_stream_loses_nothing_and_doubles_nothing "14, 25";
    }
}

/// Only the scenarios whose names contain one of these, with commas between them, are run on servers,
/// where it is set.
const ONLY: &str = "A4CO_TEST_SCENARIO";

fn wanted(scenarios: Vec<Scenario<Place>>) -> Vec<Scenario<Place>> {
    let only = std::env::var(ONLY).unwrap_or_default();
    let is_wanted = |scenario: &Scenario<Place>| only.split(',').any(|part| scenario.name.contains(part));
    scenarios.into_iter().filter(is_wanted).collect()
}

async fn prove(servers: impl FnOnce(usize) -> Result<Arc<Servers>, Missing>) {
    let together = wanted(on_servers().into_iter().chain(everywhere()).collect());
    let alone = wanted(alone());
    assert!(together.len() + alone.len() > 0, "no scenario has a name like what {ONLY} says");
    let servers = match servers(together.len() + alone.len()) {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let place = move || {
        let servers = servers.clone();
        async move { tokio::task::spawn_blocking(move || servers.place()).await.map_err(|e| e.to_string()) }
    };
    let mut failures = run_side_by_side(together, AT_ONCE, place.clone()).await;
    failures.extend(run_side_by_side(alone, 1, place).await);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_with_nats_keeps_its_promises() {
    prove(Servers::with_nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_with_rabbitmq_keeps_its_promises() {
    prove(Servers::with_rabbitmq).await;
}

/// A row for each: what it shows, which rule, and where it is run.
fn table() -> String {
    let row = |scenario: &Scenario<Place>, embedded: &str| {
        let Scenario { name, rule, .. } = scenario;
        format!("| `{name}` | {rule} | {embedded} | yes | yes |\n")
    };
    let all = everywhere();
    let on_servers = on_servers().into_iter().chain(alone());
    let everywhere = all.iter().map(|scenario| row(scenario, "yes"));
    everywhere.chain(on_servers.map(|scenario| row(&scenario, "–"))).collect()
}

#[test]
fn the_table_in_the_documents_lists_every_scenario() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");
    let written = std::fs::read_to_string(file).unwrap();
    let rows = written.lines().filter(|line| line.starts_with("| `") && line.contains("::"));
    let rows: String = rows.map(|line| format!("{line}\n")).collect();
    assert!(rows == table(), "docs/conformance.md is to have this table:\n{}", table());
}
