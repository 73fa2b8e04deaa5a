//! The operator's desk over HTTP: a saga that is stuck is found, read, and mended; what happened is
//! read from the log of events. On the embedded store, and on PostgreSQL with a broker.

use a4co::client::{Api as _, Call, Reply, ask};
use backbone::route::Role;
use contracts::shared::OrderState;
use serde_json::{Value, json};
use testkit::{Bought, Shelf, TestMarket, Wish, call_off};
use testservers::skip;

use crate::servers::{self, Servers};

/// An order whose refund is refused: its cancellation waits for an operator.
async fn stuck(market: &TestMarket) -> Bought {
    let goods = market.sell(Shelf::USUAL).await;
    let wish = Wish::guest("stuck", &[(goods.item("HONEY"), 1)], "sandbox-refund-refused");
    let placed = market.place(&wish).await.expect("it is taken");
    market.until_state(placed.order_id, &[OrderState::Preparing]).await;
    market.act(&wish, &placed, call_off(placed.order_id)).await.expect("it can be called off");
    market.until_phase(placed.order_id, "blocked").await;
    placed
}

async fn send(market: &TestMarket, call: Call) -> Reply {
    market.api.send(&call.by(&market.operator())).await.expect("the market answers")
}

/// Status and code of an act.
async fn act(market: &TestMarket, call: Call) -> (u16, String) {
    let reply = send(market, call).await;
    let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    (reply.status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
}

fn told(what: &str) -> (u16, String) {
    match what {
        "" => (204, String::new()),
        "reason" => (422, "invalid".to_owned()),
        conflict => (409, conflict.to_owned()),
    }
}

async fn only(market: &TestMarket, state: &str) -> Value {
    let list = market.look(&format!("/admin/sagas?state={state}&saga=order-cancellation")).await;
    let items = list["items"].as_array().expect("it is a list").clone();
    assert_eq!(items.len(), 1, "{list:#}");
    items[0].clone()
}

async fn a_stuck_saga_is_found_and_mended(market: &TestMarket) {
    let order = stuck(market).await;
    let listed = only(market, "blocked").await;
    let id = listed["id"].as_str().expect("it has a name").to_owned();
    assert!(id.starts_with("order.order-cancellation."), "{id}");
    assert_eq!((&listed["step"], &listed["isLate"]), (&json!("refund"), &json!(false)));
    let path = format!("/admin/sagas/{id}");
    let shown = market.look(&path).await;
    assert_eq!(shown["acts"], json!(["retry", "skip", "done"]));
    let lines: Vec<&Value> = shown["timeline"].as_array().expect("a timeline").iter().collect();
    assert!(lines.iter().any(|line| line["step"] == "refund" && line["what"] == "blocked"), "{shown:#}");

    let rehearsed = send(market, Call::post(format!("{path}/retry?dryRun=true"))).await;
    let would: Value = rehearsed.read().expect("it says what it would do");
    let publishes = would["publishes"].as_array().expect("events").iter();
    let kinds: Vec<&Value> = publishes.map(|event| &event["what"]).collect();
    assert_eq!(kinds, [&json!("payment.refund.requested.v1")], "{would:#}");
    assert_eq!(market.look(&path).await, shown, "nothing was done");

    let post = |rest: &str| Call::post(format!("{path}/{rest}"));
    assert_eq!(act(market, post("compensate?reason=no")).await, told("saga-past-its-pivot"));
    for _ in 0..2 {
        assert_eq!(act(market, post("retry").key("again")).await, told(""));
    }
    // The gateway refuses again, and then it was done by hand.
    market.until_phase(order.order_id, "blocked").await;
    while market.look(&path).await["phase"] != "blocked" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(act(market, post("done")).await.0, 422, "a reason is needed");
    assert_eq!(act(market, post("done?reason=by%20bank%20transfer")).await, told(""));
    while market.look(&path).await["phase"] != "completed" {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(only(market, "ended").await["id"], json!(id));
    assert_eq!(act(market, post("retry")).await, told("saga-ended"));

    let audit = market.look("/admin/audit?service=order").await;
    let acts = audit["items"].as_array().expect("acts").iter().map(|item| &item["act"]);
    let acts: Vec<[&Value; 3]> = acts.map(|act| [&act["what"], &act["about"], &act["reason"]]).collect();
    let by_hand = json!("by bank transfer");
    let (done, retry, about) = (json!("saga-done"), json!("saga-retry"), json!(id));
    assert_eq!(acts, [[&done, &about, &by_hand], [&retry, &about, &Value::Null]]);
}

async fn a_flow_is_read_in_order(market: &TestMarket) {
    let all = |query: String| async move {
        let (mut events, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = market.look(&format!("/admin/events?{query}&limit=3{cursor}")).await;
            let items = page["items"].as_array().expect("events").clone();
            assert!(items.len() <= 3);
            events.extend(items);
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return events,
            }
        }
    };
    let sagas = market.look("/admin/sagas?saga=order-fulfilment").await;
    let saga = &sagas["items"][0];
    let (flow, order) = (saga["correlationId"].as_str().unwrap(), saga["key"].as_str().unwrap());
    let events = all(format!("correlationId={flow}")).await;
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let place = |kind: &str| kinds.iter().position(|known| *known == kind);
    let path = ["order.created.v1", "inventory.reservation.requested.v1", "payment.requested.v1"];
    let places: Vec<_> = path.iter().chain(&["payment.succeeded.v1", "order.confirmed.v1"]).collect();
    let places: Vec<_> = places.into_iter().map(|kind| place(kind).expect(kind)).collect();
    assert!(places.is_sorted(), "{kinds:?}");
    assert!(events.iter().all(|event| event["correlationId"] == flow), "{events:#?}");
    let services: std::collections::BTreeSet<&str> =
        events.iter().filter_map(|event| event["service"].as_str()).collect();
    assert!(services.len() >= 4, "{services:?}");
    // Whoever looks over an operator's shoulder learns no address.
    let text = json!(events).to_string();
    assert!(text.contains("deliveryAddress") && !text.contains("invitada@clientes.example"), "{text}");

    let of_order = all(format!("aggregate={order}&type=order.created.v1")).await;
    assert_eq!(of_order.iter().map(|event| &event["subject"]).collect::<Vec<_>>(), [&json!(order)]);
    let whole = all("service=order".to_owned()).await;
    let middle = whole[whole.len() / 2]["time"].as_str().expect("a time").to_owned();
    let later = all(format!("service=order&from={middle}")).await;
    let expected: Vec<_> =
        whole.iter().filter(|event| event["time"].as_str() >= Some(&middle)).cloned().collect();
    assert_eq!(later, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_saga_is_mended_and_its_flow_is_read_on_the_embedded_store() {
    let market = TestMarket::on_disk().await;
    a_stuck_saga_is_found_and_mended(&market).await;
    a_flow_is_read_in_order(&market).await;
    market.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_saga_is_mended_and_its_flow_is_read_on_postgresql() {
    let servers = match Servers::with_nats() {
        Ok(servers) => servers,
        Err(missing) => return skip(&missing),
    };
    let market = servers::market(servers.engines()).await;
    a_stuck_saga_is_found_and_mended(&market).await;
    a_flow_is_read_in_order(&market).await;
    market.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_operators_see_sagas_and_events_and_what_is_wrong_is_said() {
    let market = TestMarket::simulated(5).await;
    let customer = (market.tokens())(Role::Customer, TestMarket::person(1));
    let id = "order.order-fulfilment.00000000-0000-0000-0000-000000000001";
    for call in [
        Call::get("/admin/sagas"),
        Call::get("/admin/events"),
        Call::get(format!("/admin/sagas/{id}")),
        Call::post(format!("/admin/sagas/{id}/retry")),
    ] {
        let refused = ask(&market.api, call.by(&customer)).await.unwrap_err();
        assert_eq!(refused.status().map(|status| status.as_u16()), Some(403), "{refused}");
    }
    for (call, expected) in [
        (Call::get(format!("/admin/sagas/{id}")), (404, "no-such-saga")),
        (Call::post(format!("/admin/sagas/{id}/retry")), (404, "no-such-saga")),
        (Call::post(format!("/admin/sagas/{id}/retry?dryRun=true")), (404, "no-such-saga")),
        (Call::get("/admin/sagas/nonsense"), (422, "invalid")),
        (Call::get("/admin/sagas?state=odd"), (422, "invalid")),
        (Call::get("/admin/sagas?cursor=odd"), (400, "cursor-malformed")),
        (Call::get("/admin/events?cursor=odd"), (400, "cursor-malformed")),
        (Call::get("/admin/events?service=nowhere"), (404, "not-found")),
        (Call::get("/admin/sagas?service=nowhere"), (404, "not-found")),
    ] {
        let name = call.name();
        let (status, code) = act(&market, call).await;
        assert_eq!((status, code.as_str()), expected, "{name}");
    }
    market.stop().await;
}
