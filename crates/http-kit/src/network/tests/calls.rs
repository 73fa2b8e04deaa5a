//! Calls between services over sockets: what certainly did not arrive is told from what may have.

use axum::routing::get;
use http::StatusCode;

use super::*;
use crate::client::{Transport as _, TransportError};

fn is_connect(error: &TransportError) -> bool {
    matches!(error, TransportError::Connect(_))
}

fn saying(text: &'static str) -> Router {
    Router::new().route("/x", get(async move || text))
}

#[tokio::test]
async fn where_nobody_listens_the_call_did_not_arrive_and_every_address_is_named() {
    let [one, other] = [nowhere().await, nowhere().await];
    let error = network_of(&[&one, &other], 1).send("user", request("/x")).await.unwrap_err();
    assert!(is_connect(&error), "{error:?}");
    assert!(error.to_string().contains(&one) && error.to_string().contains(&other), "{error}");
    let error = network_of(&[], 1).send("user", request("/x")).await.unwrap_err();
    assert!(is_connect(&error) && error.to_string().contains("[discovery]"), "{error}");
}

#[tokio::test]
async fn replicas_take_turns_and_one_that_is_gone_is_passed_over() {
    let [one, other] = [listening(saying("one")).await, listening(saying("other")).await];
    let gone = nowhere().await;
    let network = network_of(&[&one, &gone, &other], 1);
    let mut said = Vec::new();
    for _ in 0..6 {
        said.push(network.send("user", request("/x")).await.unwrap().into_body());
    }
    // Whose turn is the absent one's is served by the next; once met, the absent one is left for last.
    assert_eq!(said, ["one", "other", "other", "one", "other", "other"]);
}

#[tokio::test]
async fn a_replica_that_did_not_answer_is_left_for_last_for_a_while() {
    let silent = Raw::saying(&[""]).await;
    let whole = listening(saying("whole")).await;
    let network = network_of(&[&silent.address, &whole], 1);
    network.send("user", request("/x")).await.unwrap_err();
    for _ in 0..6 {
        assert_eq!(network.send("user", request("/x")).await.unwrap().into_body(), "whole");
    }
    assert_eq!(silent.connections(), 1, "one call was spent on it, not each second one");
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_have_been_acted_on_and_nobody_else_is_asked() {
    let cut = Raw::saying(&["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]).await;
    let silent = Raw::saying(&[""]).await;
    let whole = Raw::saying(&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]).await;
    for broken in [cut, silent] {
        let network = network_of(&[&broken.address, &whole.address], 1);
        let error = network.send("user", request("/x")).await.unwrap_err();
        assert!(!is_connect(&error), "{error:?}");
        assert_eq!((broken.connections(), whole.connections()), (1, 0));
    }
}

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let server = Raw::saying(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"; 3]).await;
    let network = network_of(&[&server.address], 1);
    for _ in 0..3 {
        assert_eq!(network.send("user", request("/x")).await.unwrap().into_body(), "ok");
    }
    assert_eq!(server.connections(), 1);
}

/// A process that stops closes the connections that nobody uses; the next call takes a new one.
#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_no_call() {
    let server = Raw::saying(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]).await;
    let network = network_of(&[&server.address], 1);
    for _ in 0..3 {
        assert_eq!(network.send("user", request("/x")).await.unwrap().into_body(), "ok");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_process_that_says_nothing_is_waited_for_as_long_as_the_limit_says() {
    let slow = listening(Router::new().route("/x", get(std::future::pending::<()>))).await;
    let network = network_of(&[&slow], 1);
    let address = slow.parse().unwrap();
    let asked = network.ask(&address, request("/x"), Duration::from_millis(50)).await;
    assert_eq!(asked.unwrap_err(), TransportError::Broken("nothing within 50 ms".to_owned()));
}

#[tokio::test]
async fn an_answer_without_end_is_not_read() {
    let large = Router::new().route("/x", get(async || vec![b'x'; ANSWER_BYTES_MAX + 1]));
    let error = network_of(&[&listening(large).await], 1).send("user", request("/x")).await.unwrap_err();
    assert!(!is_connect(&error), "{error:?}");
}

#[tokio::test]
async fn services_of_this_process_are_called_in_memory() {
    let memory = Arc::new(crate::InMemory::new());
    memory.bind(saying("here"));
    let there = listening(saying("there")).await;
    let split = Split { here: ["order"].into(), memory, network: network_of(&[&there], 1) };
    for (service, said) in [("order", "here"), ("user", "there")] {
        assert_eq!(split.send(service, request("/x")).await.unwrap().into_body(), said);
    }
}

#[tokio::test]
async fn what_one_process_asks_of_another_is_marked_with_its_own_id() {
    let echo = get(async |headers: http::HeaderMap| headers[PASSED_ON].as_bytes().to_vec());
    let network = network_of(&[&listening(Router::new().route("/x", echo)).await], 1);
    let answer = network.send("user", request("/x")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let mut headers = http::HeaderMap::new();
    headers.insert(PASSED_ON, HeaderValue::from_bytes(answer.body()).unwrap());
    assert!(network.is_own(&headers));
    assert!(!network_of(&[], 1).is_own(&headers));
}

#[test]
fn addresses_are_of_processes_and_of_nothing_else() {
    for good in ["http://127.0.0.1:8101", "https://order.internal/", "http://[::1]:80"] {
        assert!(good.parse::<Address>().is_ok(), "{good}");
    }
    for bad in ["127.0.0.1:8101", "ftp://x", "http://x/api", "http://a:b@x", "/x", ""] {
        let error = bad.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:8101"), "{error}");
    }
}
