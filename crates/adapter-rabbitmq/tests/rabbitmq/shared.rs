//! Promises that share a server, one after another, each on a virtual host of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::Duration;
use testservers::RabbitServer;

use crate::broker::server;
use crate::{consuming, dead_letters, faults, gap, publishing};

/// One promise may take this long.
const TIME_MAX: Duration = Duration::from_secs(120);

/// A promise, by its name.
pub(crate) struct Promise {
    name: &'static str,
    run: fn(Arc<RabbitServer>, String) -> BoxFuture<'static, ()>,
}

/// Lists functions that take the address of a virtual host, and the server where they say so.
macro_rules! promises {
    (server: $($run:path),+ $(,)?) => {
        vec![$(Promise { name: stringify!($run), run: |server, host| Box::pin($run(server, host)) }),+]
    };
    ($($run:path),+ $(,)?) => {
        vec![$(Promise { name: stringify!($run), run: |_, host| Box::pin($run(host)) }),+]
    };
}

/// Keeps each on a virtual host of its own; fails with the names of those that were broken.
async fn keep(promises: Vec<Promise>) {
    let Some(server) = server(promises.len()) else { return };
    let server = Arc::new(server);
    let mut broken = Vec::new();
    for Promise { name, run } in promises {
        let kept = AssertUnwindSafe(run(server.clone(), server.host())).catch_unwind();
        match tokio::time::timeout(TIME_MAX, kept).await {
            Ok(Ok(())) => {}
            Ok(Err(panic)) => broken.push(format!("{name}: {}", message(&*panic))),
            Err(_) => broken.push(format!("{name}: still waiting after {} s", TIME_MAX.as_secs())),
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_delivered_and_given_up_keeps_its_promises() {
    keep(promises![
        publishing::an_unroutable_message_is_an_error,
        publishing::what_nobody_in_the_deployment_reads_is_published_to_nobody,
        publishing::the_queues_of_all_services_are_there_before_anything_is_published,
        publishing::the_message_that_is_stored_is_what_any_client_reads,
        publishing::a_queue_that_differs_is_refused_by_what_differs,
        consuming::what_is_given_back_keeps_the_order_of_its_subject_whatever_was_acknowledged,
        consuming::what_comes_again_keeps_its_order_although_it_came_back_in_another,
        consuming::more_comes_again_than_a_reader_may_hold_and_keeps_its_order,
        consuming::what_comes_again_is_in_the_order_of_its_producers_journal,
        consuming::readers_that_take_over_from_each_other_keep_the_order_of_what_waits,
        consuming::of_two_readers_the_last_is_served,
        consuming::a_reader_of_another_process_takes_over_when_the_first_one_goes,
        consuming::positions_grow_over_readers,
        consuming::partitions_share_the_subjects_and_each_keeps_its_order,
        consuming::a_cancelled_subscription_is_told_and_made_anew,
        gap::a_new_consumer_stands_still_until_it_has_caught_up_once_for_all,
        gap::a_queue_that_somebody_deleted_is_a_gap_whoever_made_it_again,
        dead_letters::an_event_of_another_client_arrives_with_what_it_says,
        dead_letters::what_nobody_can_read_goes_to_the_dead_letters_whole_and_holds_up_nothing,
        dead_letters::an_event_that_was_sent_to_the_wrong_partition_goes_to_the_dead_letters,
        dead_letters::a_message_whose_dead_letter_finds_no_place_stays_with_the_broker,
        dead_letters::what_the_broker_gave_up_is_shown_and_forgotten,
        dead_letters::a_handle_is_good_after_another_look,
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_whose_server_fails_keeps_its_promises() {
    keep(promises![
        server: faults::a_lost_confirm_is_a_failure_and_what_is_published_again_arrives,
        faults::a_cut_connection_is_made_anew,
        faults::a_server_that_takes_no_messages_is_unavailable_and_says_so,
        faults::a_server_that_is_killed_in_mid_stream_loses_nothing_and_no_subject_its_order,
        faults::what_was_not_acknowledged_survives_the_server_and_comes_in_order,
        faults::a_server_that_lost_its_storage_is_filled_again_and_its_consumers_are_told,
    ])
    .await;
}
