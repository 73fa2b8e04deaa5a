//! What a market says about itself: metrics for Prometheus, and health and alerts for operators.

use contracts::shared::OrderState;
use kernel::Duration;
use testkit::{Shelf, TestMarket, Wish};

/// The sum of a family's samples that have all of these labels.
fn sum(text: &str, family: &str, labels: &[&str]) -> Option<f64> {
    let of = |line: &&str| {
        let name = line.split(['{', ' ']).next();
        name == Some(family) && labels.iter().all(|label| line.contains(label))
    };
    let values = text.lines().filter(of).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value))
}

#[tokio::test(start_paused = true)]
async fn after_an_order_each_family_of_metrics_has_a_value_that_makes_sense() {
    let metrics = telemetry::Metrics::install().expect("no other test of this process installs them");
    let market = TestMarket::simulated(11).await;
    let goods = market.sell(Shelf::USUAL).await;
    let wish = Wish::guest("seen", &[(goods.item("HONEY"), 1)], "sandbox-card-ok");
    let placed = market.place(&wish).await.expect("an order is placed");
    market.until_state(placed.order_id, &[OrderState::Preparing]).await;
    market.rest().await;
    // The engine looks at itself every few seconds.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let text = metrics.render();
    let at_least = |least: f64, family: &str, labels: &[&str]| {
        let found = sum(&text, family, labels);
        assert!(found.is_some_and(|found| found >= least), "{family} {labels:?} is {found:?}\n{text}");
    };
    let is = |value: f64, family: &str, labels: &[&str]| {
        assert_eq!(sum(&text, family, labels), Some(value), "{family} {labels:?}\n{text}");
    };
    let created = "type=\"order.created.v1\"";
    at_least(1.0, "a4co_events_published_total", &["service=\"order\"", created]);
    let consumed = ["consumer=\"order-inventory\"", "type=\"inventory.reservation.confirmed.v1\""];
    for family in ["a4co_events_consumed_total", "a4co_events_attempts_total"] {
        at_least(1.0, family, &consumed);
    }
    at_least(1.0, "a4co_event_processing_seconds_count", &consumed);
    for family in ["a4co_events_retried_total", "a4co_events_dead_total"] {
        is(0.0, family, &consumed);
    }
    for family in [
        "a4co_consumer_in_flight",
        "a4co_consumer_parked",
        "a4co_consumer_backlog",
        "a4co_consumer_oldest_seconds",
        "a4co_consumer_stopped",
        "a4co_consumer_recreated_total",
        "a4co_dead_letters",
        "a4co_dead_letter_oldest_seconds",
        "a4co_service_error_ratio",
        "a4co_bus_disconnected_seconds",
        "a4co_sagas_blocked",
        "a4co_sagas_late",
        "a4co_timers_late",
        "a4co_projection_lag_seconds",
        "a4co_projection_quarantined",
        "a4co_alert_firing",
    ] {
        is(0.0, family, &[]);
    }
    is(1.0, "a4co_bus_connected", &[]);
    let fulfilment = "saga=\"order-fulfilment\"";
    at_least(1.0, "a4co_saga_step_seconds_count", &[fulfilment, "step=\""]);
    at_least(0.0, "a4co_sagas_active", &[fulfilment]);
    at_least(1.0, "a4co_sagas_ended_total", &["outcome=\"completed\""]);
    at_least(1.0, "a4co_saga_seconds_count", &[]);
    at_least(1.0, "a4co_commits_total", &["service=\"order\""]);
    at_least(0.0, "a4co_timers_waiting", &["service=\"order\""]);
    at_least(1.0, "http_requests_total", &["method=\"POST\"", "route=\"/api/orders\"", "status=\"2xx\""]);
    at_least(1.0, "http_request_duration_seconds_count", &["route=\"/api/orders\""]);
    at_least(1.0, "calls_total", &["from=\"order\"", "to=\"product\"", "outcome=\"answered\""]);
    at_least(1.0, "call_duration_seconds_count", &["from=\"order\"", "to=\"product\""]);
    is(0.0, "call_breaker_state", &["to=\"product\""]);
    market.finish().await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_each_service_its_consumers_and_projections_and_no_alert_where_all_is_well() {
    let market = TestMarket::simulated(12).await;
    let goods = market.sell(Shelf::USUAL).await;
    let wish = Wish::guest("healthy", &[(goods.item("HONEY"), 1)], "sandbox-card-ok");
    let placed = market.place(&wish).await.expect("an order is placed");
    market.until_state(placed.order_id, &[OrderState::Preparing]).await;
    market.rest().await;
    tokio::time::sleep(Duration::from_secs(6)).await;

    let health = market.look("/admin/health").await;
    let services = health["services"].as_array().expect("services are listed");
    let of = |name: &str| services.iter().find(|service| service["service"] == name).expect("it runs");
    for service in services {
        for consumer in service["consumers"].as_array().into_iter().flatten() {
            let health = consumer["health"].as_str().unwrap_or_default();
            assert!(["idle", "caught-up"].contains(&health), "{consumer:#}");
            assert_eq!((&consumer["backlog"], &consumer["parked"]), (&0.into(), &0.into()), "{consumer:#}");
        }
    }
    let consumers = of("inventory")["consumers"].as_array().expect("consumers are listed");
    let of_order = consumers.iter().find(|consumer| consumer["consumer"] == "inventory-order");
    let of_order = of_order.expect("inventory hears of orders");
    assert!(of_order["position"].as_u64() > Some(0) && of_order["lastProgress"].is_string());
    let movements = &of("inventory")["projections"][0];
    assert_eq!(movements["projection"], "movements");
    assert!(movements["position"].as_u64() > Some(0), "{movements:#}");
    assert_eq!(movements["lagSeconds"], 0.0);
    let sagas = of("order")["sagas"].as_array().expect("sagas are listed");
    assert!(
        sagas.iter().any(|saga| saga["saga"] == "order-fulfilment" && saga["blocked"] == 0),
        "{sagas:#?}"
    );

    let alerts = market.look("/admin/alerts").await;
    assert_eq!(alerts["firing"], serde_json::json!([]));
    assert!(alerts["rules"].as_array().is_some_and(|rules| rules.len() > 9));
    market.finish().await;
}
