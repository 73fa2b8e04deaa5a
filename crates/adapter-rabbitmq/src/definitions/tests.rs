use super::*;

fn member(service: &str, publishes: &[&str], consumes: &[&str]) -> Member {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Member { service: service.to_owned(), publishes: names(publishes), consumes: names(consumes) }
}

fn printed(partitions: u32) -> Value {
    let order = member("order", &["order.created.v1", "order.confirmed.v1"], &["payment"]);
    let payment = member("payment", &["payment.failed.v1"], &["order"]);
    let accounts = [("order", order), ("payment", payment)]
        .map(|(name, member)| Account { name: name.to_owned(), members: vec![member] });
    let options = Options { partitions, ..Options::default() };
    serde_json::from_str(&definitions("a4co", &accounts, &options)).expect("it is JSON")
}

#[test]
fn an_account_may_do_what_its_service_does() {
    let printed = printed(1);
    assert_eq!(
        printed["users"][0],
        json!({
            "name": "order", "password": "${RABBITMQ_PASSWORD_ORDER}", "tags": "",
        })
    );
    assert_eq!(
        printed["permissions"][0],
        json!({
            "user": "order",
            "vhost": "a4co",
            "configure": "^(order\\.events|order\\.dlx|order\\.payment\\.queue|order\\.payment\\.queue\\.p[0-9]+|order\\.payment\\.dlq|order\\.payment\\.queue\\.new|order\\.payment\\.queue\\.known|order\\.payment\\.queue\\.p[0-9]+\\.new|order\\.payment\\.queue\\.p[0-9]+\\.known)$",
            "write": "^(order\\.events|order\\.dlx|order\\.payment\\.queue|order\\.payment\\.queue\\.p[0-9]+|order\\.payment\\.dlq|order\\.payment\\.queue\\.new|order\\.payment\\.queue\\.known|order\\.payment\\.queue\\.p[0-9]+\\.new|order\\.payment\\.queue\\.p[0-9]+\\.known)$",
            "read": "^(payment\\.events|order\\.dlx|order\\.payment\\.queue|order\\.payment\\.queue\\.p[0-9]+|order\\.payment\\.dlq|order\\.payment\\.queue\\.new|order\\.payment\\.queue\\.known|order\\.payment\\.queue\\.p[0-9]+\\.new|order\\.payment\\.queue\\.p[0-9]+\\.known)$",
        })
    );
    let topics = &printed["topic_permissions"];
    assert_eq!(
        topics[0],
        json!({
            "user": "order", "vhost": "a4co", "exchange": "order.events", "read": "^$",
            "write": "^(order\\.confirmed\\.v1|order\\.created\\.v1)(\\.p[0-9]+)?$",
        })
    );
    assert_eq!(
        topics[1],
        json!({
            "user": "order", "vhost": "a4co", "exchange": "payment.events", "write": "^$",
            "read": "^payment\\.#(\\.p[0-9]+)?$",
        })
    );
}

#[test]
fn the_topology_is_that_of_the_specification() {
    let printed = printed(1);
    let names = |of: &str| {
        let all = printed[of].as_array().expect("it is a list");
        all.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("exchanges"), ["order.events", "payment.events", "order.dlx", "payment.dlx"]);
    assert_eq!(
        names("queues"),
        ["order.payment.queue", "payment.order.queue", "order.payment.dlq", "payment.order.dlq"]
    );
    assert_eq!(
        printed["queues"][1]["arguments"],
        json!({
            "x-queue-type": "quorum",
            "x-single-active-consumer": true,
            "x-delivery-limit": 100,
            "x-dead-letter-exchange": "payment.dlx",
            "x-dead-letter-routing-key": "payment.order.dlq",
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        })
    );
    assert!(printed["exchanges"][0]["arguments"].as_object().is_some_and(Map::is_empty), "no alternate one");
    assert_eq!(
        printed["bindings"][2],
        json!({
            "source": "order.events", "vhost": "a4co", "destination": "payment.order.queue",
            "destination_type": "queue", "routing_key": "order.#", "arguments": {},
        })
    );
}

#[test]
fn each_partition_has_a_queue_and_all_share_the_dead_letters() {
    let printed = printed(2);
    let queues = printed["queues"].as_array().expect("it is a list");
    assert_eq!(queues.len(), 6);
    let keys: Vec<&str> = printed["bindings"]
        .as_array()
        .expect("it is a list")
        .iter()
        .filter_map(|binding| binding["routing_key"].as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "payment.#.p0",
            "order.payment.dlq",
            "payment.#.p1",
            "order.#.p0",
            "payment.order.dlq",
            "order.#.p1"
        ]
    );
}

#[test]
fn an_account_of_nothing_may_nothing() {
    assert_eq!(one_of(Vec::new()), "^$");
}
