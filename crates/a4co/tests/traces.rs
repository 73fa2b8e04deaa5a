//! The whole product as a process with a collector of traces beside it: one trace shows the
//! request, the saga and every reaction; and nothing of the market waits for whoever takes traces.

#[path = "traces/collector.rs"]
mod collector;
#[path = "traces/process.rs"]
mod process;

use std::collections::{BTreeMap, BTreeSet};

use collector::{Collector, Span};
use process::Process;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const BROWSER: &str = "b7ad6b7169203331";

fn traceparent() -> String {
    format!("00-{TRACE}-{BROWSER}-01")
}

/// The services that have spans of a kind.
fn services<'s>(spans: &'s [Span], kind: &str) -> BTreeSet<&'s str> {
    let of_kind = spans.iter().filter(|span| span.name.starts_with(kind));
    of_kind.map(|span| span.says("service.name")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_shows_the_request_the_saga_and_every_reaction() {
    let collector = Collector::start();
    let mut market = Process::start(&["--log", "warn", "--otlp", &collector.url], &[]).await;
    let order = market.order(&traceparent()).await;
    market.stop();

    let all = collector.spans();
    let spans: Vec<Span> = all.iter().filter(|span| span.trace == TRACE).cloned().collect();
    assert!(all.len() > spans.len(), "the seeding has traces of its own");
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "a span is exported once");
    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent == BROWSER).collect();
    let [root] = roots.as_slice() else { panic!("one span is below the browser's: {roots:#?}") };
    assert_eq!((root.name.as_str(), root.says("service.name")), ("POST /api/orders", "order"));
    assert_eq!(root.says("http.response.status_code"), "202");
    for span in spans.iter().filter(|span| span.id != root.id) {
        assert!(by_id.contains_key(span.parent.as_str()), "below nothing: {span:#?}");
    }

    for service in ["order", "inventory", "payment", "shipping", "notification"] {
        assert!(services(&spans, "reaction ").contains(service), "{service}: {spans:#?}");
    }
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name}: {spans:#?}"))
    };
    let command = named("place-order");
    assert_eq!(command.parent, root.id);
    let reserving = named("reaction inventory.reservation.requested.v1");
    assert_eq!(
        (reserving.parent.as_str(), reserving.says("service.name")),
        (command.id.as_str(), "inventory")
    );
    let reserved = named("reaction inventory.reservation.confirmed.v1");
    assert_eq!((reserved.parent.as_str(), reserved.says("service.name")), (reserving.id.as_str(), "order"));
    let call = named("saga.call order-fulfilment validate-payment");
    assert_eq!((call.parent.as_str(), call.says("saga.id")), (reserved.id.as_str(), order.as_str()));
    let asked = named("POST /api/payments/validate");
    assert_eq!((asked.parent.as_str(), asked.says("service.name")), (call.id.as_str(), "payment"));
    assert_eq!(named("saga.step order-fulfilment validate-payment").parent, call.id);
    let charging = named("reaction payment.requested.v1");
    assert!(by_id[charging.parent.as_str()].name.starts_with("saga.step order-fulfilment"), "{charging:?}");
    assert!(services(&spans, "saga.call ").contains("payment"), "payment's saga calls the gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_nothing_is_exported_and_events_pass_the_context_on_as_it_came() {
    let collector = Collector::start();
    // A variable that other programs heed is not the word of this one's operator.
    let mut market = Process::start(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)]).await;
    let order = market.order(&traceparent()).await;
    let lines = market.stop();
    assert!(collector.spans().is_empty());

    let facts = a4co::verify::facts(&market.data()).await.unwrap();
    let told = facts.log.iter().filter(|(_, event)| event.traceparent.as_deref() == Some(&traceparent()));
    let kinds: BTreeSet<&str> = told.map(|(_, event)| event.kind.as_str()).collect();
    for kind in ["order.created.v1", "inventory.reservation.confirmed.v1", "payment.succeeded.v1"] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
    for (_, event) in facts.log.iter().filter(|(_, event)| event.subject == order) {
        assert_eq!(event.traceparent.as_deref(), Some(traceparent().as_str()), "{}", event.kind);
    }
    let placed = lines.iter().find(|line| line["message"] == "POST /api/orders 202").unwrap();
    assert_eq!(placed["trace.id"], TRACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_said_once_and_nothing_waits_for_it() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let often = [("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let mut market = Process::start(&["--otlp", &format!("http://{nobody}")], &often).await;
    market.order(&traceparent()).await;
    let lines = market.stop();
    let lost: Vec<_> = lines.iter().filter(|line| line["event.action"] == "traces-lost").collect();
    assert_eq!(lost.len(), 1, "{lost:#?}");
    assert!(lost[0]["endpoint"].as_str().unwrap().contains(&nobody.to_string()));
}
